import json

from tests.contracts.samples import put


def make(root):
    box = {"id": 1, "type": "bbox", "label_id": 1, "bbox": [1, 2, 2.50, 3], "group": 4, "z_order": 0, "attributes": {}}
    items = [
        {"id": "a", "annotations": [box, box], "image": {"path": "a.jpg", "size": [48, 64]}, "attr": {"frame": 1}},
        {"id": "nowhere", "annotations": [], "image": {"path": "nowhere.jpg"}},
        {"id": "evil", "annotations": [box], "image": {"path": "../../../outside/secret.jpg"}},
        {"id": "link", "annotations": [box], "image": {"path": "link.jpg"}},
        {"id": "a", "annotations": [box], "image": {"path": "a.jpg"}},
        {"id": "b", "annotations": [box | {"bbox": [1]}], "image": {"path": "b.jpg"}},
    ]
    labels = [{"name": "cat", "parent": "", "attributes": []}, {"name": "dog", "parent": "animal"}]
    put(root / "images/train/a.jpg")
    put(
        root / "annotations/train.json",
        json.dumps({"infos": {}, "categories": {"label": {"labels": labels}}, "items": items}),
    )
    return root / "images/train"
