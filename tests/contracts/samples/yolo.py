import io

from PIL import Image

from tests.contracts.samples import put

KNOBS = {"one_type": True}


def picture():
    made = io.BytesIO()
    Image.new("RGB", (40, 20)).save(made, "PNG")
    return made.getvalue()


def make(root):
    for name in ("a.png", "b.PNG", "missing.png", "empty.png"):
        put(root / "images/train" / name, picture())
    put(root / "labels/train/a.txt", "0 0.5 0.5 0.25 0.1\r\n2 0.5 0.5 0.5 0.5\n0 0.5,5 1 1 1\n1 0.5 0.5 0.123456789 1")
    put(root / "labels/train/b.txt", "1 0.1 0.1 0.9 0.1 0.9 0.9\n7 0.5 0.5 0.5 0.5\n")
    put(root / "labels/train/empty.txt", "")
    put(root / "labels/train/link.txt", "0 0.5 0.5 1 1\n")
    put(root / "labels/train/nowhere.txt", "0 0.5 0.5 1 1\n")
    put(root / "data.yaml", "path: /data\ntrain: ../images/train\nval: ../../outside\nnames: {1: dog, 0: cat, 2: no}\n")
    return root / "images/train"
