"""What `fsck --repair` does, in an order in which nothing that can be read stops being readable.

First the store: the intact objects of damaged packs are written into new packs, durable and visible, and only then the
old packs are moved to `quarantine/`, from where nothing is ever deleted. Then, with all objects found that can be
found: the head, what the trash has, and tables that follow from others.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId
from tdvc.objects.idset import IdSet
from tdvc.objects.packcheck import copy_intact
from tdvc.objects.store import ObjectWriter, new_stamp
from tdvc.objects.sweep import rescue
from tdvc.ops.inspection import Inspection
from tdvc.ops.recovering import recovery
from tdvc.repo import oplog
from tdvc.repo.commit import utc_now
from tdvc.repo.config import NAME as CONFIG
from tdvc.repo.entry import FILES, PATHS
from tdvc.repo.repository import FORMAT
from tdvc.repo.view import Operation, View, read_operation
from tdvc.tables.edit import build
from tdvc.tables.tree import Table

QUARANTINE = "quarantine"
"""Where damaged files are kept."""

_LOCK_TIMEOUT_SECONDS = 30.0
_SHOWN = 5


class Repair:
    """One repair on its way.

    Args:
        inspection: what was found.
        dry_run: only say what would be done.

    Attributes:
        done: what was done, a sentence each.
    """

    def __init__(self, inspection: Inspection, *, dry_run: bool) -> None:
        self.done: list[str] = []
        self._dry_run = dry_run
        self.take(inspection)

    def take(self, inspection: Inspection) -> None:
        """Go on with what was found later."""
        self._inspection = inspection
        self._repository = inspection.repository
        self._storage = inspection.repository.storage

    def _found(self, *codes: str) -> bool:
        return any(finding.code in codes for finding in self._inspection.findings)

    # the store

    def store(self) -> None:
        """Files: the format, damaged packs and blobs, settings, caches, what dead processes left."""
        if self._found("format-damaged"):
            self._write_format()
        for name in self._inspection.bad_packs:
            self._save_pack(name)
        for name in self._inspection.bad_singles:
            self._put_aside(name, "its bytes are not what its name says")
        if self._found("config-damaged"):
            self._put_aside(CONFIG, "all settings are as usual now")
        for name in self._inspection.bad_caches:
            self.done.append(f"Removed {name}; it is made again when it is needed.")
            if not self._dry_run:
                self._storage.remove(name)
        if not self._dry_run:
            self._remove_left_over()

    def _write_format(self) -> None:
        self.done.append("Wrote the file format anew.")
        if not self._dry_run:
            with contextlib.suppress(FileNotFoundError):
                self._quarantine("format")
            self._storage.create("format", FORMAT)

    def _save_pack(self, name: str) -> None:
        if self._dry_run:
            self.done.append(f"Would copy what is intact out of {name}, and put it into {QUARANTINE}.")
            return
        copied, packs = copy_intact(self._storage, self._repository.objects, name)
        into = f" into {', '.join(packs)}" if packs else ""
        self.done.append(f"Copied {copied:,} intact objects out of {name}{into}, and put it into {QUARANTINE}.")
        self._quarantine(name)

    def _put_aside(self, name: str, because: str) -> None:
        self.done.append(f"Put {name} into {QUARANTINE}: {because}.")
        if not self._dry_run:
            self._quarantine(name)

    def _quarantine(self, name: str) -> None:
        with self._storage.lock(_LOCK_TIMEOUT_SECONDS):
            self._storage.move_all([(name, f"{QUARANTINE}/{new_stamp()}-{name.replace('/', '-')}")])

    def _remove_left_over(self) -> None:
        before = len(self._storage.names("tmp"))
        with self._storage.lock(_LOCK_TIMEOUT_SECONDS):
            self._storage.sweep()
        removed = before - len(self._storage.names("tmp"))
        if removed > 0:
            self.done.append(f"Removed {removed:,} unfinished files of processes that died.")

    # what names objects

    def refs(self) -> None:
        """The head, objects in the trash, tables of paths, and how far back undo goes."""
        for name in self._inspection.stray_heads:
            self._put_aside(f"heads/{name}", "no operation has that name")
        if self._found("head-missing"):
            self._recover_head()
        self._rescue()
        self._rebuild_paths()
        self._note_pruned()

    def _recover_head(self) -> None:
        found = recovery(self._repository)
        if found is None:
            self.done.append("Found no operation of which everything is there; the head stays as it is.")
            return
        heads = oplog.heads(self._storage)
        unreadable = [f"operation {identity.hex()[:12]}" for identity in heads if identity != found.operation]
        lost = f" Lost: {'; '.join([*unreadable, *found.lost][:_SHOWN])}." if unreadable or found.lost else ""
        self.done.append(
            f"Went back to operation {found.operation.hex()[:12]} of {found.time} ({found.command}).{lost}"
        )
        if not self._dry_run:
            self._go_back_to(found.operation, heads)

    def _go_back_to(self, operation: ObjectId, heads: list[ObjectId]) -> None:
        """Show an older operation's view: after the head, where that can be read, else with the older one as head."""
        readable = [identity for identity in heads if identity != operation and self._is_readable(identity)]
        if len(readable) == 1:
            view = self._repository.view_of(operation)
            with self._repository.objects.writer() as writer:
                self._publish(writer, readable[0], view)
            return
        with self._storage.lock(_LOCK_TIMEOUT_SECONDS):
            oplog.move_head(self._storage, oplog.heads(self._storage), operation)

    def _is_readable(self, operation: ObjectId) -> bool:
        try:
            read_operation(self._repository.objects, operation)
        except Corruption:
            return False
        return True

    def _rescue(self) -> None:
        live = IdSet()
        found = [f for f in self._inspection.findings if f.code == "only-in-trash"]
        live.add(bytes.fromhex(finding.id) for finding in found)
        if not found:
            return
        self.done.append(f"Brought {len(found):,} objects back from the trash.")
        if not self._dry_run:
            with self._storage.lock(_LOCK_TIMEOUT_SECONDS):
                rescue(self._repository.objects, self._storage, live)
            self._repository.objects.refresh()

    def _rebuild_paths(self) -> None:
        """Tables from files to paths, made again from the tables of files."""
        names = self._inspection.wrong_paths
        if not names:
            return
        self.done += [f"Made the table of paths of {name} again from its files." for name in names]
        if self._dry_run:
            return
        head = self._repository.head()
        view = self._repository.view_of(head)
        with self._repository.objects.writer() as writer:
            refs = dict(view.directories)
            for name in names:
                refs[name] = replace(refs[name], paths=self._paths_of(writer, refs[name].root))
            repaired = replace(view, directories=refs)
            writer.publish()
            if repaired != view:
                self._publish(writer, head, repaired)

    def _paths_of(self, writer: ObjectWriter, root: ObjectId) -> ObjectId:
        rows = Table(self._repository.objects, FILES, root).scan()
        return build(writer, PATHS, sorted((row[1], row[0]) for row in rows))

    def _publish(self, writer: ObjectWriter, head: ObjectId, view: View) -> None:
        """Make a view the head's, unless somebody published meanwhile."""
        operation = Operation(
            view=ObjectId(writer.put(Kind.VIEW, view.encode())),
            parent=head,
            command="fsck --repair",
            author=self._repository.author,
            time=utc_now(),
        )
        identity = oplog.write(writer, view, operation)
        writer.publish()
        with self._storage.lock(_LOCK_TIMEOUT_SECONDS):
            heads = oplog.heads(self._storage)
            if head in heads:
                oplog.move_head(self._storage, heads, identity)

    def _note_pruned(self) -> None:
        """Where views of old operations are gone, undo is told so."""
        gone = [f for f in self._inspection.findings if f.place.startswith("operation ") and f.kind != "operation"]
        if not gone or oplog.is_pruned(self._storage):
            return
        self.done.append(f"Noted that undo can't go back to {gone[0].place}.")
        if not self._dry_run:
            self._storage.replace(oplog.PRUNED, utc_now().encode())
