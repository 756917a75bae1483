from tests.contracts.samples import put
from tests.contracts.samples.masks_png import picture

OBJECT = (
    "<object><name>{label}</name><pose>Left</pose><bndbox>"
    "<xmin>1</xmin><ymin>2.50</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"
)


def voc_text(filename, *labels):
    objects = "".join(OBJECT.format(label=label) for label in labels)
    return f"<annotation><filename>{filename}</filename>{objects}</annotation>"


def make(root):
    for name in ("a.jpg", "b.JPG", "empty.png"):
        put(root / "JPEGImages" / name)
    put(root / "Annotations/a.xml", voc_text("a.jpg", "cat", "cat"))
    put(root / "Annotations/b.xml", voc_text("b", "dog"))
    put(root / "Annotations/evil.xml", voc_text("../../outside/secret.jpg", "cat"))
    put(root / "Annotations/link.xml", voc_text("link.jpg", "cat"))
    put(root / "Annotations/torn.xml", "<annotation>")
    put(root / "ImageSets/Main/train.txt", "a\nb\n")
    put(root / "SegmentationObject/a.png", picture("P", 0, 1, 1, 2, 2, 2, 255, 0))
    put(root / "SegmentationClass/a.png", picture("P", 0, 3, 3, 3, 3, 3, 255, 0))
    put(root / "SegmentationObject/b.png", picture("L", 1, 2, 3, 4)[:40])
    return root / "JPEGImages"
