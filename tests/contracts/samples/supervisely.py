import json

from tests.contracts.samples import put


def make(root):
    rectangle = {"exterior": [[1, 2], [10, 20]], "interior": []}
    box = {"classTitle": "dog", "geometryType": "rectangle", "points": rectangle, "tags": [{"name": "ill", "value": 2}]}
    ring = {"exterior": [[0, 0], [9, 0], [9, 9.5]], "interior": [[[1, 1], [2, 1], [2, 2]]]}
    files = {
        "a.jpg": [box | {"id": 1}, box, {"classTitle": "cat", "geometryType": "polygon", "points": ring}],
        "nowhere.jpg": [box],
        "link.jpg": [box],
        "odd.jpg": [
            {"classTitle": "dog", "geometryType": "cuboid", "points": [[1, 2]], "faces": []},
            {},
            box | {"points": 1},
        ],
    }
    put(root / "meta.json", json.dumps({"classes": [{"title": "dog", "shape": "rectangle"}], "tags": []}))
    for name, objects in files.items():
        document = {"size": {"width": 64, "height": 48}, "tags": [{"name": "night"}], "objects": objects}
        put(root / f"train/ann/{name}.json", json.dumps(document))
    put(root / "train/ann/torn.jpg.json", "{")
    figure = {"key": "a" * 32, "objectKey": "b" * 32, "geometryType": "rectangle", "geometry": {"points": rectangle}}
    frames = [{"index": 3, "figures": [figure, figure | {"objectKey": "c" * 32}]}]
    video = {"objects": [{"key": "b" * 32, "classTitle": "dog"}], "frames": frames, "framesCount": 9}
    put(root / "train/ann/v.mp4.json", json.dumps(video | {"tags": [{"name": "night", "frameRange": [0, 4]}]}))
    put(root / "train/video/v.mp4")
    for name in ("a.jpg", "odd.jpg", "torn.jpg", "undescribed.jpg"):
        put(root / "train/img" / name)
    return root / "train/img"
