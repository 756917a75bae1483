"""What a checked-out folder says of itself: the file `.tdvc-checkout` in it.

It is a stat cache of everything that checkout wrote, with the state it belongs to. So `status` tells what changed
without reading unchanged files, `--update` knows what is safe to replace, and edits can be brought back against the
state they were made on.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tdvc.errors import NotFound, Usage
from tdvc.ids import ObjectId
from tdvc.ops.statcache import RECORD_FILE, StatCache
from tdvc.repo.commit import id_from
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository
from tdvc.storage.folder import FolderWriter

ANNOTATION_FILES = ("instances.jsonl", "schema.json", "SHA256SUMS")
"""What checkout writes beside the files."""


@dataclass(slots=True)
class CheckoutRecord:
    """What `.tdvc-checkout` says.

    Attributes:
        revision: what was asked for.
        directory: the directory it belongs to.
        root: id of the state, in hexadecimal.
        finished: whether the checkout came to its end.
        narrowed: whether only some of the files were asked for.
        stats: the look of every file that was written.
    """

    revision: str
    directory: str
    root: str
    schema: str
    finished: bool
    narrowed: bool
    stats: StatCache

    def encode(self) -> bytes:
        """The bytes of the record."""
        self.stats.fact = {
            "directory": self.directory,
            "finished": self.finished,
            "narrowed": self.narrowed,
            "revision": self.revision,
            "root": self.root,
            "schema": self.schema,
        }
        return self.stats.encode()

    def base(self, repository: Repository) -> Directory:
        """The state that was checked out. Raises Corruption where this repository does not have it."""
        root, schema = ObjectId(bytes.fromhex(self.root)), ObjectId(bytes.fromhex(self.schema))
        return Directory(repository.objects, name=self.directory, root=root, schema_id=schema, title=self.revision)

    def state_now(self, repository: Repository) -> Directory | None:
        """What the revision means by now; None where it means nothing any more."""
        try:
            return repository[self.revision]
        except (NotFound, Usage):
            return None


def read_record(folder: Path) -> CheckoutRecord:
    """The record of a checked-out folder. Raises NotFound (source-not-found) where there is none."""
    record = checkout_record(folder)
    if record is None:
        raise NotFound(
            "source-not-found",
            f"{str(folder)!r} is not a folder that tdvc checked out.",
            hint="tdvc checkout REV FOLDER makes one.",
            path=str(folder),
        )
    return record


def checkout_record(folder: Path) -> CheckoutRecord | None:
    """The record of a checked-out folder; None where there is none."""
    place = folder / RECORD_FILE
    if place.is_symlink() or not place.is_file():
        return None
    stats = StatCache.decode(place.read_bytes())
    fact: dict[str, Any] = stats.fact
    try:
        return CheckoutRecord(
            revision=str(fact["revision"]),
            directory=str(fact["directory"]),
            root=id_from(fact["root"]).hex(),
            schema=id_from(fact["schema"]).hex(),
            finished=bool(fact["finished"]),
            narrowed=bool(fact["narrowed"]),
            stats=stats,
        )
    except (KeyError, TypeError, ValueError):
        return None


def write_record(folder: Path, record: CheckoutRecord) -> None:
    """Write the record of a folder, once the clock has moved on so far that every file's look can be relied on."""
    time.sleep(0.025)
    writer = FolderWriter(str(folder))
    try:
        writer.write(RECORD_FILE, [record.encode()])
    finally:
        writer.close()


def edited_annotation_files(folder: Path, record: CheckoutRecord) -> list[str]:
    """Those of the annotation files beside the pictures that are not as they were written."""
    edited = []
    for name in ANNOTATION_FILES:
        recorded = record.stats.recorded_blob(name)
        place = folder / name
        if recorded is not None and place.is_file() and hashlib.sha256(place.read_bytes()).digest() != recorded:
            edited.append(name)
    return edited
