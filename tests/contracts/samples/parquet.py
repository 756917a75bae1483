import json

import pyarrow
from pyarrow import parquet

from tests.contracts.samples import put

FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": ["ward", "street"], "_type": "ClassLabel"},
    "objects": {"feature": {"category": {"names": ["cat", "dog"], "_type": "ClassLabel"}}, "_type": "Sequence"},
}


def row(path, content, label, *boxes):
    objects = {"bbox": list(boxes), "category": [1] * len(boxes)}
    return {"image": {"bytes": content, "path": path}, "label": label, "objects": objects}


def put_table(path, rows, features=FEATURES):
    schema = pyarrow.schema(
        [
            ("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])),
            ("label", pyarrow.int64()),
            (
                "objects",
                pyarrow.struct(
                    [
                        ("bbox", pyarrow.list_(pyarrow.list_(pyarrow.float32()))),
                        ("category", pyarrow.list_(pyarrow.int64())),
                    ]
                ),
            ),
        ],
        {"huggingface": json.dumps({"info": {"features": features}})},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), path)


def make(root):
    put(root / "beside.jpg")
    rows = [
        row("a.jpg", b"picture", 0, [1, 2, 3.5, 4], [1, 2, -3, 4]),
        row(None, b"\xff\xd8\xff picture", 1),
        row("beside.jpg", None, -1),
        row("nowhere.jpg", None, 0),
        row("../outside/secret.jpg", None, 0),
        row("link.jpg", None, 0),
        row("a.jpg", b"another", 0),
    ]
    put_table(root / "data/train-00000-of-00001.parquet", rows)
    return root
