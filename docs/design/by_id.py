"""What it costs to find one of 100,000 files by its id: in the table made for it, and by reading the other one."""

import hashlib
import sys
import time

from tdvc.objects.store import ObjectStore
from tdvc.repo.entry import FILES, PATHS, FileState
from tdvc.storage.base import MemoryStorage
from tdvc.tables import edit
from tdvc.tables.page import Row
from tdvc.tables.tree import Table

FILE_COUNT, WANTED = 100_000, 77_777


def row(number: int) -> Row:
    """A file with a plausible name and ids."""
    digest = hashlib.sha256(b"%d" % number).digest()
    return (b"train/%06d.jpg" % number, *FileState(digest[:16], digest, 15_000))


def main() -> str:
    """Build both tables and look for one file in each."""
    rows = list(map(row, range(FILE_COUNT)))
    storage = MemoryStorage()
    objects = ObjectStore(storage)
    with objects.writer() as writer:
        files = edit.build(writer, FILES, rows)
        writer.publish()
        without = sum(map(len, storage.files.values()))
        paths = edit.build(writer, PATHS, sorted((each[1], each[0]) for each in rows))
        writer.publish()
    more = sum(map(len, storage.files.values())) - without
    wanted = rows[WANTED][1]
    started = time.perf_counter()
    found = Table(objects, PATHS, paths).get(wanted)
    by_table = time.perf_counter() - started
    if found is None or not any(wanted in page.column(1) for page in Table(objects, FILES, files).leaves()):
        raise SystemExit("not found")
    by_reading = time.perf_counter() - started - by_table
    return f"table {1e3 * by_table:.1f} ms, reading {1e3 * by_reading:.1f} ms; the table takes {more / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.stdout.write(main() + "\n")
