import json

from tests.contracts.samples import put


def make(root):
    box = {"instance_id": "ab" * 16, "label": "cat", "type": "box", "geometry": [1, 2, 3, 4.5]}
    lines = [
        {"path": "pictures/a.jpg", "instances": [box, box | {"instance_id": "cd" * 16}], "complete": True},
        {"path": "pictures/nowhere.jpg", "instances": [], "properties": {"splits": ["train"], "x": 1.5}},
        {"path": "../outside/secret.jpg", "instances": [box]},
        {"path": "pictures/link.jpg", "instances": [box]},
        {"path": "pictures/a.jpg", "instances": [box]},
    ]
    put(root / "pictures/a.jpg")
    put(root / "instances.jsonl", "\n".join(json.dumps(line) for line in lines))
    return root / "pictures"
