"""How the mean number of rows of a page changes what a table and a one-row edit store: `page_size.py 256`."""

import hashlib
import sys

from tdvc.objects.store import ObjectStore
from tdvc.repo.entry import FILES, FileState
from tdvc.storage.base import MemoryStorage
from tdvc.tables import edit, tree
from tdvc.tables.page import Row

FILE_COUNT, EVERY = 100_000, 5_000


def row(number: int, content: bytes = b"") -> Row:
    """A file with a plausible name and ids."""
    digest = hashlib.sha256(b"%d" % number + content).digest()
    state = FileState(digest[:16], digest, 15_000 + number % 999, digest[::-1], 5, 0, bytes(32), b"image/jpeg")
    return (b"train/%06d.jpg" % number, *state)


def stored_bytes(storage: MemoryStorage) -> int:
    """All that is stored."""
    return sum(map(len, storage.files.values()))


def main(mean_rows: int) -> str:
    """Build a table, edit twenty single rows, and say what that stored."""
    tree.MEAN_ROWS = mean_rows
    storage = MemoryStorage()
    objects = ObjectStore(storage)
    with objects.writer() as writer:
        root = edit.build(writer, FILES, map(row, range(FILE_COUNT)))
        writer.publish()
    whole, edits = stored_bytes(storage), range(0, FILE_COUNT, EVERY)
    for number in edits:
        with objects.writer() as writer:
            edited = row(number, b"edited")
            root = edit.edit(writer, FILES, root, {edited[0]: edited})
            writer.publish()
    each = (stored_bytes(storage) - whole) / len(edits)
    return f"mean {mean_rows} rows: table {whole / 1e6:.2f} MB, a one-row edit {each / 1e3:.0f} kB"


if __name__ == "__main__":
    sys.stdout.write(main(int(sys.argv[1])) + "\n")
