"""The head, the chain of operations, and everything that views lead to.

The newest comes first: what is found is named after the first place that needs it, and that is the one people know.
Views of old operations are for undo alone, and `gc` gives them up; once it has done so (`oplog.PRUNED`), the first
missing thing ends the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tdvc.errors import Conflict, Corruption
from tdvc.ids import Kind, ObjectId
from tdvc.objects.packcheck import listed
from tdvc.ops.fsckdirectories import check_directories, check_state, users_of
from tdvc.ops.fsckfiles import FileCheck
from tdvc.ops.fsckpages import PageWalk
from tdvc.ops.inspection import FULL, QUICK, Inspection
from tdvc.repo import oplog
from tdvc.repo.commit import read_commit, read_snapshot
from tdvc.repo.directory import read_schema
from tdvc.repo.entry import FILES, PATHS
from tdvc.repo.merge import read_merge
from tdvc.repo.rule import read_rule
from tdvc.repo.view import View, read_operation, read_view

_GONE = ("object-missing", "only-in-trash")


class HistoryCheck:
    """Examines what the head leads to."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._objects = inspection.repository.objects
        self._files = FileCheck(inspection)
        self._pages = PageWalk(inspection, FILES, self._files.leaf)
        self._paths = PageWalk(inspection, PATHS)

    def run(self) -> None:
        """Look at everything from the head downwards."""
        inspection = self._inspection
        head = self._head()
        if head is None:
            return
        operation = self._whole(Kind.OPERATION, head, "heads", read_operation)
        view = self._whole(Kind.VIEW, operation.view, "heads", read_view) if operation is not None else None
        if operation is None or view is None:
            inspection.add("head-missing", f"What operation {head.hex()} shows can't be read.", "heads")
            return
        self._view(view)
        check_directories(inspection, view)
        if inspection.mode != QUICK:
            self._operations(head)
            self._unnamed(head)
        if inspection.lost:
            for identity, places in users_of(inspection, view).items():
                inspection.name_users(identity, places)

    def _head(self) -> ObjectId | None:
        inspection, storage = self._inspection, self._inspection.repository.storage
        named = {identity.hex() for identity in oplog.heads(storage)}
        for name in storage.names("heads"):
            if name not in named:
                inspection.stray_heads.append(name)
                inspection.add("head-stray", f"The file heads/{name[:80]} is not named by an operation.", "heads")
        try:
            return inspection.repository.head()
        except Conflict as error:
            inspection.add("heads-diverged", error.message, "heads")
        except Corruption as error:
            inspection.add("head-missing", error.message, "heads")
        return None

    def _whole(self, kind: Kind, identity: ObjectId, place: str, read: Callable[[Any, ObjectId], Any]) -> Any:
        """An object that can be read, decoded and spelled again the same way; None where it can't."""
        content = self._inspection.read(kind, identity, place)
        if content is None:
            return None
        try:
            value = read(self._objects, identity)
        except Corruption as error:
            self._inspection.lose(kind, identity, place, error)
            return None
        if value.encode() != content:
            message = f"The {kind.name.lower()} {identity.hex()} is not spelled the one way it should be."
            self._inspection.add("not-canonical", message, place, kind, identity)
        return value

    def _once(self, kind: Kind, identity: ObjectId) -> bool:
        return self._inspection.first_time(kind.name.encode(), identity)

    # what a view leads to

    def _view(self, view: View) -> None:
        self._schema(view.schema, "schema")
        for name, ref in view.directories.items():
            schema = view.schema_of(name)
            self._schema(schema, name)
            self._files.schema = schema
            self._pages.table(ref.root, name)
            self._paths.table(ref.paths, name)
            if ref.rule is not None and self._once(Kind.RULE, ref.rule):
                self._whole(Kind.RULE, ref.rule, name, read_rule)
        for name, ref in view.directories.items():
            if ref.merge is not None:
                self._merge(ref.merge, name)
            if ref.commit is not None:
                self._commits([ref.commit], f"{name}@")
        for name, identity in {**view.retired, **view.snapshots}.items():
            self._snapshot(identity, name)

    def _schema(self, identity: ObjectId, place: str) -> None:
        if self._once(Kind.SCHEMA, identity):
            self._whole(Kind.SCHEMA, identity, place, read_schema)

    def _merge(self, identity: ObjectId, place: str) -> None:
        merge = self._whole(Kind.MERGE, identity, place, read_merge) if self._once(Kind.MERGE, identity) else None
        if merge is not None:
            for schema in (merge.schema_before, merge.schema_after):
                if schema is not None:
                    self._schema(schema, place)
            self._commits([merge.theirs, *merge.bases], place)

    def _snapshot(self, identity: ObjectId, name: str) -> None:
        if not self._once(Kind.SNAPSHOT, identity):
            return
        snapshot = self._whole(Kind.SNAPSHOT, identity, name, read_snapshot)
        if snapshot is None:
            return
        self._commits([snapshot.commit], name)
        if self._inspection.mode == FULL and snapshot.commit not in self._inspection.lost:
            check_state(self._inspection, name, read_commit(self._objects, snapshot.commit).root)

    def _commits(self, starts: list[ObjectId], place: str) -> None:
        """Commits and all before them; only the commits themselves where it is to be quick."""
        waiting = [(identity, place) for identity in starts]
        while waiting:
            identity, where = waiting.pop()
            if not self._once(Kind.COMMIT, identity):
                continue
            commit = self._whole(Kind.COMMIT, identity, where, read_commit)
            if commit is None or self._inspection.mode == QUICK:
                continue
            self._schema(commit.schema, where)
            self._files.schema = commit.schema
            self._pages.table(commit.root, where)
            waiting += [(parent, parent.hex()[:12]) for parent in reversed(commit.parents)]

    # operations

    def _operations(self, head: ObjectId) -> None:
        """The operations before the head, and what undo can come back to."""
        pruned = oplog.is_pruned(self._inspection.repository.storage)
        identity: ObjectId | None = head
        shown = True
        while identity is not None and self._once(Kind.OPERATION, identity):
            place = f"operation {identity.hex()[:12]}"
            operation = self._whole(Kind.OPERATION, identity, place, read_operation)
            if operation is None:
                return
            self._inspection.progress("operations", self._inspection.metadata, None)
            if shown and identity != head:
                shown = self._old_view(operation.view, place, pruned)
            identity = operation.parent

    def _old_view(self, identity: ObjectId, place: str, pruned: bool) -> bool:
        """Look at an older view; False where a garbage collection has given it up, so that nothing is wrong."""
        if not self._once(Kind.VIEW, identity):
            return True
        inspection = self._inspection
        before, lost = len(inspection.findings), dict(inspection.lost)
        view = self._whole(Kind.VIEW, identity, place, read_view)
        if view is not None:
            self._view(view)
        gone = any(finding.code in _GONE for finding in inspection.findings[before:])
        if pruned and gone:
            del inspection.findings[before:]
            inspection.lost = lost
            return False
        return True

    def _unnamed(self, head: ObjectId) -> None:
        """Operations that follow on the head."""
        for identity in listed(self._inspection.repository.storage, Kind.OPERATION):
            try:
                operation = read_operation(self._objects, identity)
            except Corruption:
                continue  # it is noted with its pack
            if operation.parent == head:
                message = f"The operation {identity.hex()} ({operation.command[:80]!r}) is not named by heads."
                self._inspection.add("operation-unnamed", message, "heads", Kind.OPERATION, identity)
