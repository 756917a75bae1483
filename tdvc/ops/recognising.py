"""How what comes in from a format is known again: files by path, id and name, instances by id or by what they say.

An import replaces what it knows again, and a diff against a folder compares it; both must agree on what that is, or
importing a folder that a diff calls equal would change something.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from tdvc.formats.base import FileRecord
from tdvc.ids import FileId
from tdvc.model import numbers
from tdvc.model.records import HUMAN, IMPORTED, Instance
from tdvc.repo.directory import Directory


def imported(instance: Instance) -> Instance:
    """An instance as it is stored when it first comes in."""
    return instance if instance.source else msgspec.structs.replace(instance, source=IMPORTED)


def merged_properties(record: FileRecord, before: Mapping[str, Any], name: str, *, recognised: bool) -> dict[str, Any]:
    """A file's properties with what a format says of it. Of a file that is known again, it adds nothing it made up."""
    after = dict(record.properties)
    if recognised and name not in before:
        after.pop(name, None)
    return {**before, **after}


def layers_of(record: FileRecord) -> frozenset[str]:
    """The sources whose instances a record tells all of: one model run's, or those it names; else what was imported.

    Ground truth and every model run are layers of their own: predictions say nothing of what somebody drew.
    """
    if record.run:
        return frozenset((record.run,))
    named = {instance.source for instance in record.instances}
    return frozenset(IMPORTED if source in (None, HUMAN) else source for source in named) or frozenset((IMPORTED,))


def names_run(source: str | None) -> bool:
    """Whether a source is a model run or one of several annotators, and not just an import or a person."""
    return source not in (None, IMPORTED, HUMAN)


class KnownInstances:
    """Instances that a file has, to be known again in what comes in from a format.

    Args:
        before: the instances.
        name: the format's name.
        keeps: what the format can carry, of `formats.base.FIELDS`.
        coming: the ids of all that comes in: who comes in under its own id is nobody else's twin.
    """

    def __init__(
        self, before: Sequence[Instance], name: str, keeps: frozenset[str], coming: Collection[str] = ()
    ) -> None:
        self._left = {instance.instance_id: instance for instance in before}
        self._by_content: dict[tuple[Any, ...], list[Instance]] | None = None
        self._by_shape: dict[tuple[Any, ...], list[Instance]] | None = None
        self._coming = coming
        self._name = name
        self._keeps_properties = "properties" in keeps
        self._silent = [name for name in ("attributes", "frame", "score", "sequence") if name not in keeps]

    def again(self, instance: Instance) -> tuple[Instance, Instance] | None:
        """The instance as the file has it, and with what is new about it; None where the file does not have it.

        What the format can't carry is no news when it is missing: it stays as it was.
        """
        by_id = self._left.get(instance.instance_id)
        former = by_id or self._twin(instance)
        if former is None:
            return None
        self._left.pop(former.instance_id, None)
        changes: dict[str, Any] = {name: getattr(former, name) for name in self._silent}
        if by_id is None and bytes(instance.attributes) == b"{}":
            changes["attributes"] = former.attributes
        changes["instance_id"] = former.instance_id
        if instance.source in (None, IMPORTED):
            changes["source"] = former.source
        if bytes(instance.properties) != bytes(former.properties):
            changes["properties"] = self._properties(former, instance)
        return former, msgspec.structs.replace(instance, **changes)

    def _properties(self, former: Instance, instance: Instance) -> msgspec.Raw:
        """What the format says now; it adds nothing of its own to an instance it said nothing of before."""
        before, now = numbers.parse(bytes(former.properties)), numbers.parse(bytes(instance.properties))
        if self._name not in before:
            now.pop(self._name, None)
        after = now if self._keeps_properties and now else {**before, **now}
        return msgspec.Raw(numbers.spell(after)) if after else former.properties

    def _twin(self, instance: Instance) -> Instance | None:
        """An instance that says the same under another id. What a run predicts is never what somebody drew."""
        if self._by_content is None:
            self._by_content = {}
            for known in (known for known in self._left.values() if known.instance_id not in self._coming):
                self._by_content.setdefault(self._content(known), []).append(known)
        twins = self._by_content.get(self._content(instance), [])
        if not twins and bytes(instance.attributes) == b"{}":
            twins = self._of_shape(instance)
        is_one = names_run(instance.source)
        return next(
            (t for t in twins if t.instance_id in self._left and (not is_one or t.source == instance.source)), None
        )

    def _of_shape(self, instance: Instance) -> list[Instance]:
        """Instances with the same label and geometry: a source that says nothing of attributes takes none away."""
        if self._by_shape is None:
            self._by_shape = {}
            for known in (known for known in self._left.values() if known.instance_id not in self._coming):
                self._by_shape.setdefault(self._shape(known), []).append(known)
        return self._by_shape.get(self._shape(instance), [])

    def _shape(self, instance: Instance) -> tuple[Any, ...]:
        frame = None if "frame" in self._silent else instance.frame
        return instance.label, instance.type, str(_as_floats(instance.coordinates)), frame

    def _content(self, instance: Instance) -> tuple[Any, ...]:
        """What an instance says in the words of the format, however its numbers are spelled."""
        said: list[Any] = [instance.label, instance.type, str(_as_floats(instance.coordinates))]
        if "attributes" not in self._silent:
            said.append(repr(sorted((key, str(value)) for key, value in instance.attribute_values.items())))
        if "frame" not in self._silent:
            said.append(instance.frame)
        return tuple(said)


def _as_floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_floats(item) for item in value]
    return round(float(value), 6) if isinstance(value, int | float) else value


class KnownFiles:
    """Finds the file of a directory that a record without a picture is about."""

    def __init__(self, target: Directory) -> None:
        self._target = target
        self._by_name: dict[str, list[str]] | None = None
        self._by_stem: dict[str, list[str]] = {}
        self._by_id: dict[FileId, str] = {}

    def find(self, record: FileRecord) -> list[str]:
        """The paths it may be: by file_id, else by name."""
        known = self.named(record.path)
        if record.file_id is not None and (path := self._by_id.get(FileId(bytes.fromhex(record.file_id)))):
            return [path]
        return known

    def named(self, path: str) -> list[str]:
        """The paths whose last component is that of `path`; where there is none, with any extension."""
        if self._by_name is None:
            self._by_name = {}
            for entry in self._target.entries():
                name = entry.path.rpartition("/")[2]
                self._by_name.setdefault(name, []).append(entry.path)
                self._by_stem.setdefault(name.rpartition(".")[0], []).append(entry.path)
                self._by_id[entry.state.file_id] = entry.path
        name = path.rpartition("/")[2]
        return self._by_name.get(name) or self._by_stem.get(name, [])
