"""Rows of files, and what they name: instance sets and blobs.

Each pair of a set and what its row says of it is looked at once, and so is each pair of a blob and its size.
"""

from __future__ import annotations

from tdvc.errors import Corruption, SchemaError
from tdvc.ids import NO_ID, Kind, ObjectId
from tdvc.model import numbers
from tdvc.model.records import Instance, check_instance, decode_set, encode_set
from tdvc.names import stored_path_problem
from tdvc.ops.inspection import FULL, QUICK, Inspection
from tdvc.repo.directory import read_schema
from tdvc.repo.entry import Entry, FileState, entry_of
from tdvc.tables.page import Page


class FileCheck:
    """Examines rows of files.

    Attributes:
        schema: what instances met from now on are to go by; None where that is not known.
    """

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._labels: dict[ObjectId, frozenset[str]] = {}
        self.schema: ObjectId | None = None

    def leaf(self, page: Page, place: str) -> None:
        """Look at the rows of a leaf, and at what they name."""
        inspection = self._inspection
        for row in page.rows():
            try:
                entry = entry_of(row)
            except UnicodeDecodeError:
                inspection.add("path-invalid", f"The path {row[0]!r} is not UTF-8.", place)
                continue
            where = f"{place}:{entry.path}"
            if problem := stored_path_problem(entry.path):
                inspection.add("path-invalid", f"The path {entry.path!r} {problem}.", where)
            if problem := row_problem(entry):
                inspection.add("row-invalid", f"The row of {entry.path!r} {problem}.", where)
            self._state(entry.state, where)

    def _state(self, state: FileState, where: str) -> None:
        inspection = self._inspection
        origin = state.origin
        named = [state.blob, state.instances, state.completeness_schema]
        inspection.need([*named, *(ObjectId(part) for part in (origin[16:48], origin[48:80]) if len(part) == 32)])
        size = state.size_bytes.to_bytes(8, "little")
        if inspection.first_time(b"blob", state.blob, size):
            self._blob(state, where)
        count = state.instance_count.to_bytes(8, "little")
        if state.instances == NO_ID or inspection.mode == QUICK:
            return
        if inspection.first_time(b"set", state.instances, count, self.schema or b""):
            self._set(state, where)

    def _blob(self, state: FileState, where: str) -> None:
        inspection, objects = self._inspection, self._inspection.repository.objects
        inspection.blobs += 1
        size = objects.size_bytes(Kind.BLOB, state.blob)
        doubtful = size is None or (Kind.BLOB, state.blob) in inspection.suspect
        sampled = inspection.in_sample()
        if doubtful or sampled:
            try:
                size = sum(len(piece) for piece in objects.read_blob(state.blob))
            except Corruption as error:
                inspection.lose(Kind.BLOB, state.blob, where, error)
                return
            inspection.note_trash(Kind.BLOB, state.blob, where)
        if doubtful or inspection.mode == FULL or sampled:
            inspection.read_blobs += 1
            inspection.read_bytes += size or 0
        if size != state.size_bytes:
            message = f"The blob {state.blob.hex()} has {size} bytes, and its row says {state.size_bytes}."
            inspection.add("size-wrong", message, where, Kind.BLOB, state.blob)

    def _set(self, state: FileState, where: str) -> None:
        inspection = self._inspection
        content = inspection.read(Kind.INSTANCES, state.instances, where)
        if content is None:
            return
        name = f"instance set {state.instances.hex()}"
        try:
            instances = decode_set(content)
            canonical = encode_set(instances) == content and bool(instances)
            for instance in instances:
                check_instance(instance)
        except (ValueError, SchemaError) as error:
            message = f"The {name} does not hold what it should: {str(error)[:200].rstrip('.')}."
            inspection.add("not-canonical", message, where, Kind.INSTANCES, state.instances)
            return
        if not canonical:
            message = f"The {name} is not in its one order and spelling."
            inspection.add("not-canonical", message, where, Kind.INSTANCES, state.instances)
        if len(instances) != state.instance_count:
            message = f"The {name} holds {len(instances)} instances, and its row says {state.instance_count}."
            inspection.add("count-wrong", message, where, Kind.INSTANCES, state.instances)
        self._known_labels(instances, state.instances, where)

    def _known_labels(self, instances: list[Instance], identity: ObjectId, where: str) -> None:
        known = self._labels_of(self.schema)
        for label in sorted({instance.label for instance in instances} - known) if known is not None else ():
            message = f"The schema has no label {label!r}, and an instance is called so."
            self._inspection.add("label-unknown", message, where, Kind.INSTANCES, identity)

    def _labels_of(self, schema: ObjectId | None) -> frozenset[str] | None:
        if schema is None or schema in self._inspection.lost:
            return None
        if schema not in self._labels:
            try:
                self._labels[schema] = frozenset(read_schema(self._inspection.repository.objects, schema).labels)
            except Corruption:
                return None
        return self._labels[schema]


def row_problem(entry: Entry) -> str | None:
    """What can't be in a row, as the end of a sentence; None for a sound one."""
    state = entry.state
    if (state.instances == NO_ID) != (state.instance_count == 0):
        return "counts instances without a set, or has a set and counts none"
    if state.complete not in (0, 1) or (not state.complete and state.completeness_schema != NO_ID):
        return "is neither complete nor incomplete"
    if len(state.origin) not in (0, 80):
        return "has an origin of a wrong length"
    if not state.media_type.isascii():
        return "has a media type that is not ASCII"
    if state.properties:
        try:
            if not isinstance(numbers.parse(state.properties), dict):
                return "has properties that are no object"
        except ValueError:
            return "has properties that are not JSON"
    return None
