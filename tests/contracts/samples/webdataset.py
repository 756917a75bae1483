import io
import json
import tarfile

from tests.contracts.samples import put

BOX = {"label": "cat", "type": "box", "geometry": [1, 2, 3, 4.5]}
MEMBERS = {
    "in/a.jpg": "picture",
    "in/a.json": {"path": "in/a.v2.jpg", "instances": [BOX, BOX, {"label": "cat"}]},
    "b.jpg": "picture",
    "b.cls": "7",
    "beside.json": {"path": "beside.jpg", "instances": [BOX]},
    "nowhere.json": {"path": "nowhere.jpg", "instances": []},
    "evil.json": {"path": "../outside/secret.jpg", "instances": [BOX]},
    "link.json": {"path": "link.jpg", "instances": [BOX]},
    "in/a.png": "picture",
    "README": "hello",
}
KNOBS = {"splits": ("train", "val")}


def archive(members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, value in members.items():
            text = (value if isinstance(value, str) else json.dumps(value)).encode()
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    return content.getvalue()


def make(root):
    put(root / "beside.jpg")
    put(root / "train-000000.tar", archive(MEMBERS))
    return root
