import io

from PIL import Image

from tests.contracts.samples import put

KNOBS = {"at_most": 1}


def picture(mode, *values, width=4):
    content = io.BytesIO()
    image = Image.new(mode, (width, len(values) // width))
    image.putdata(values)
    if mode == "P":
        image.putpalette([0, 0, 0, 128, 0, 0, *[9] * 762])
    image.save(content, "PNG")
    return content.getvalue()


def make(root):
    put(root / "labels.txt", "background\ndog\ncat\n")
    for name in ("train/a.jpg", "b.jpg", "torn.jpg", "unmasked.jpg"):
        put(root / "images" / name)
    put(root / "masks/train/a.png", picture("P", 0, 1, 1, 0, 0, 2, 255, 0))
    put(root / "masks/b.png", picture("L", 7, 0, 0, 0))
    put(root / "masks/torn.png", picture("L", 1, 2, 3, 4)[:40])
    put(root / "masks/gone.png", picture("L", 1, 1, 0, 0))
    return root / "images"
