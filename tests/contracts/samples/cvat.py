from tests.contracts.samples import put

BOX = '<box label="{}" source="manual" occluded="0" xtl="1" ytl="2.50" xbr="3" ybr="4" z_order="0">{}</box>'
LABELS = (
    "<label><name>cat</name><color>#ff0000</color><attributes><attribute><name>age</name><mutable>False</mutable>"
    "<input_type>number</input_type><default_value>1</default_value><values>1\n9\n1</values></attribute></attributes>"
    "</label><label><name>dog</name></label>"
)


def cvat_text(*images, labels=LABELS):
    meta = f"<meta><task><id>1</id><labels>{labels}</labels></task></meta>"
    return f"<annotations><version>1.1</version>{meta}{''.join(images)}</annotations>"


def image(name, *shapes, number=0):
    return f'<image id="{number}" name="{name}" width="64" height="48">{"".join(shapes)}</image>'


def make(root):
    age = '<attribute name="age">3</attribute>'
    put(
        root / "annotations.xml",
        cvat_text(
            image("a.jpg", BOX.format("cat", age), BOX.format("dog", ""), '<box label="cat" xtl="x"/>', number=3),
            image("nowhere.jpg", number=4),
            image("../../outside/secret.jpg", BOX.format("cat", "")),
            image("link.jpg", BOX.format("cat", "")),
            image("a.jpg", BOX.format("cat", "")),
        ),
    )
    put(root / "torn.xml", "<annotations><image id='1' name=")
    put(root / "images/a.jpg")
    return root / "images"
