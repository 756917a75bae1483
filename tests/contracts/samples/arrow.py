import pyarrow

from tests.contracts.samples import put


def put_table(path, rows, schema=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(rows, schema)
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def make(root):
    put(root / "pictures/a.jpg")
    box = {"label": "cat", "type": "box", "geometry": "[1,2,3,4.50]"}
    names = ("pictures/a.jpg", "nowhere.jpg", "pictures/a.jpg", "../outside/secret.jpg", "pictures/link.jpg")
    rows = [{"path": name} | box for name in names]
    rows += [{"path": "pictures/a.jpg"} | box | {"geometry": "[1,2"}, {"path": "empty.jpg"}]
    put_table(root / "instances.arrow", rows)
    return root / "pictures"
