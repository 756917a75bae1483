import json

from tests.contracts.samples import put

OBJECTS = {"bbox": [[1, 2, 3.5, 4], [1, 2, 3]], "categories": ["cat", "dog"], "area": [14, 9]}


def make(root):
    for name in ("a.jpg", "inner/b.png", "unnamed.png"):
        put(root / "train" / name)
    rows = [
        {"file_name": "a.jpg", "objects": OBJECTS, "text": "a cat"},
        {"file_name": "inner/b.png", "label": "ward"},
        {"file_name": "nowhere.png", "objects": {"bbox": [], "categories": []}},
        {"file_name": "../../outside/secret.jpg", "objects": OBJECTS},
        {"file_name": "link.jpg", "label": "ward"},
        {"file_name": "a.jpg", "label": "ward"},
    ]
    put(root / "train/metadata.jsonl", "\n".join(map(json.dumps, rows)) + "\n{")
    return root / "train"
