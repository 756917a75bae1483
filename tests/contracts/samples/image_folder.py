from tests.contracts.samples import put

KNOBS = {"at_most": 1}


def make(root):
    for name in ("cat/1.jpg", "cat/2.JPG", "dog/1.png", "loose.gif"):
        put(root / name)
    return root / "cat"
