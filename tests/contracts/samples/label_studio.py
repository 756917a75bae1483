import json

from tests.contracts.samples import put


def result(kind, label, identity="r1", size=(64, 48), **value):
    item = {"id": identity, "type": f"{kind}labels", "from_name": "label", "to_name": "image", "origin": "manual"}
    sides = {"original_width": size[0], "original_height": size[1], "image_rotation": 0} if size else {}
    return item | sides | {"value": value | {f"{kind}labels": [label]}}


def box(label="cat", identity="r1", size=(64, 48), **more):
    return result("rectangle", label, identity, size, x=12.5, y=25, width=50.0, height=33.333333333333336, **more)


def task(image, *results, **fields):
    return {"data": {"image": image}, "annotations": [{"completed_by": 1, "result": list(results)}]} | fields


def make(root):
    put(root / "images/a.jpg")
    tasks = [
        task("/data/upload/3/0a1b2c3d-a.jpg", box(), box(identity="r2", rotation=30), box(identity="r3", size=None)),
        task("https://example.org/b/nowhere.jpg", box(), {"id": "r2", "type": "rectanglelabels", "value": {"x": "1"}}),
        task("../outside/secret.jpg", box()),
        task("link.jpg", box()),
        task("/data/upload/3/0a1b2c3d-a.jpg", box()),
        {"data": {"text": "no file at all"}, "annotations": [{"result": [box()]}]},
    ]
    put(root / "project-3.json", json.dumps(tasks))
    return root / "images"
