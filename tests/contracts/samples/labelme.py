import json

from tests.contracts.samples import put


def shape(label, kind, *points, **fields):
    return {"label": label, "shape_type": kind, "points": [list(point) for point in points], "flags": {}} | fields


def document(picture, *shapes, **fields):
    return {"version": "5.7.0", "flags": {}, "shapes": list(shapes), "imagePath": picture, "imageData": None} | fields


def make(root):
    box = shape("cat", "rectangle", (3, 4), (1, 2.50), group_id=1)
    for name in ("a.jpg", "b/c.JPG", "b/bare.png"):
        put(root / name)
    files = {
        "a.json": document("a.jpg", box, shape("cat", "polygon", (1, 1), (2, 1))),
        "b/c.json": document(".\\c.JPG", flags={"night": True, "day": False}),
        "b/evil.json": document("../../outside/secret.jpg", box),
        "b/link.json": document("../link.jpg", box),
        "b/nowhere.json": document("nowhere.jpg", box, imageData="aGVsbG8="),
    }
    for name, content in files.items():
        put(root / name, json.dumps(content))
    put(root / "torn.json", '{"shapes": [')
    return root
