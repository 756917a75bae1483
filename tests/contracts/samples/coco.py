import json

from tests.contracts.samples import put

KNOBS = {"splits": ("train", "val")}


def make(root):
    ring = [1, 2, 3.5, 2, 3.5, 4.25]
    document = {
        "info": {"year": 2026},
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 64, "height": 48, "license": 3},
            {"id": 8, "file_name": "nowhere.jpg", "width": 64, "height": 48},
            {"id": 9, "file_name": "../outside/secret.jpg", "width": 64, "height": 48},
            {"id": 10, "file_name": "link.jpg", "width": 64, "height": 48},
            {"id": 7, "file_name": "twice.jpg"},
        ],
        "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 18, "bbox": [1, 2, 2.50, 2], "area": 5, "iscrowd": 0, "extra": [1]},
            {"id": 2, "image_id": 7, "category_id": 3, "segmentation": [ring, ring], "bbox": [1, 2, 2.5, 2.25]},
            {"id": 3, "image_id": 8, "category_id": 99, "bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3]]},
            {"id": 4, "image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 4]},
            {"id": 5, "image_id": 77, "category_id": 3, "bbox": [1, 2, 3, 4]},
            {"id": 6, "image_id": 7, "category_id": 3, "bbox": [1, 2, "x", 4]},
        ],
    }
    put(root / "images/a.jpg")
    put(root / "annotations/instances_train.json", json.dumps(document))
    return root / "images"
