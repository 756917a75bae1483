"""How two schemas differ, and what two changes of one schema make together.

Both go by key and field: a label keeps its key whatever it is called, so a new name is a difference of one field and
never a label that went and another that came. Fields that are lists of keys or maps are taken apart further, so that
two people can add an option to the same attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from tdvc.model.schema import Attribute, Label, Option, Schema, Template, plain
from tdvc.model.schemacheck import schema_problems

SECTIONS: dict[str, str] = {"labels": "label", "attributes": "attribute", "templates": "template"}
"""The sections of a schema, and what one thing in them is called."""

_WHOLE = ("file_attributes", "sequence_attributes", "locked")
_MISSING: Any = object()


# comparing


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One thing that differs between two schemas.

    Attributes:
        path: where, such as `labels.dog.name`.
        kind: `added`, `removed` or `changed`.
        words: the same for people, such as `label dog: renamed dog -> Hound`.
        before: JSON, None where it was added.
        after: JSON, None where it was removed.
    """

    path: str
    kind: str
    words: str
    before: Any = None
    after: Any = None


def compare_schemas(before: Schema, after: Schema) -> list[SchemaChange]:
    """What differs, ordered by section and key."""
    found: list[SchemaChange] = []
    for section, noun in SECTIONS.items():
        old, new = getattr(before, section), getattr(after, section)
        for key in sorted(old.keys() | new.keys()):
            found += _compare_definitions(f"{section}.{key}", f"{noun} {key}", old.get(key), new.get(key))
    for name in _WHOLE:
        a, b = getattr(before, name), getattr(after, name)
        if a != b:
            found.append(_changed(name, "the schema", name, plain(a), plain(b)))
    return found


def _compare_definitions(path: str, who: str, old: Any, new: Any) -> Iterator[SchemaChange]:
    if old is None or new is None:
        kind = "added" if old is None else "removed"
        yield SchemaChange(path, kind, f"{who} {kind}", plain(old), plain(new))
        return
    for field in fields(old):
        a, b = getattr(old, field.name), getattr(new, field.name)
        if a == b:
            continue
        if field.name == "options":
            yield from _compare_options(f"{path}.options", who, a, b)
        else:
            yield _changed(f"{path}.{field.name}", who, field.name, plain(a), plain(b))


def _compare_options(path: str, who: str, old: Sequence[Option], new: Sequence[Option]) -> Iterator[SchemaChange]:
    before, after = {option.key: option for option in old}, {option.key: option for option in new}
    for key in sorted(before.keys() | after.keys()):
        a, b = before.get(key), after.get(key)
        if a is None or b is None:
            kind = "added" if a is None else "removed"
            yield SchemaChange(f"{path}.{key}", kind, f"{who}: option {key} {kind}", plain(a), plain(b))
        else:
            for name in ("name", "attributes"):
                if getattr(a, name) != getattr(b, name):
                    values = plain(getattr(a, name)), plain(getattr(b, name))
                    yield _changed(f"{path}.{key}.{name}", f"{who}: option {key}", name, *values)
    kept = [key for key in before if key in after]
    if kept != [key for key in after if key in before]:
        yield SchemaChange(path, "changed", f"{who}: options in another order", list(before), list(after))


def _changed(path: str, who: str, name: str, before: Any, after: Any) -> SchemaChange:
    return SchemaChange(path, "changed", f"{who}: {_said(name, before, after)}", before, after)


def _said(name: str, before: Any, after: Any) -> str:
    """One field's change in words."""
    if isinstance(before, bool) and isinstance(after, bool):
        return name if after else f"no longer {name}"
    if name == "name":
        return f"renamed {before or '-'} -> {after or '-'}"
    if name == "guide":
        return "guide written" if not before else "guide removed" if not after else "guide rewritten"
    if isinstance(before, list) and isinstance(after, list) and all(isinstance(x, str) for x in [*before, *after]):
        return f"{name} {_came_and_went(before, after)}"
    if isinstance(before, dict) and isinstance(after, dict):
        parts = [f"{key} {_short(before.get(key))} -> {_short(after.get(key))}" for key in _differing(before, after)]
        return f"{name} {', '.join(parts)}"
    return f"{name} {_short(before)} -> {_short(after)}"


def _came_and_went(before: Sequence[str], after: Sequence[str]) -> str:
    parts = [f"+{item}" for item in after if item not in before] + [f"-{item}" for item in before if item not in after]
    return " ".join(parts) or "in another order"


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]


def _short(value: Any) -> str:
    text = "-" if value in (None, "", []) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


# merging


class SchemaConflict(NamedTuple):
    """What two changes of a schema can't both have.

    Attributes:
        path: where, such as `labels.dog.name`.
        base: JSON before both, None where it was not there.
        ours: JSON on our side, None where it is not there.
        theirs: JSON on their side, None where it is not there.
        reason: what is wrong, in words.
    """

    path: str
    base: Any
    ours: Any
    theirs: Any
    reason: str


def merge_schemas(base: Schema, ours: Schema, theirs: Schema) -> tuple[Schema, list[SchemaConflict]]:
    """Both changes of `base` in one schema, and what they can't both have.

    Where there is a conflict the result has our side; of a definition that one side removed and the other changed, the
    changed one, so that nothing loses its meaning. Labels that were added on both sides and have one index between
    them: theirs gets the next free one. What makes no sense only together, such as an attribute that one side removed
    and the other asks of a label, is a conflict too.
    """
    if theirs in (base, ours):
        return ours, []
    if ours == base:
        return theirs, []
    merging = _Merging()
    merged: dict[str, Any] = {
        "labels": merging.definitions("labels", base.labels, ours.labels, theirs.labels, _bare_label),
        "attributes": merging.definitions(
            "attributes", base.attributes, ours.attributes, theirs.attributes, lambda key, a: Attribute(key, a.kind)
        ),
        "templates": merging.definitions(
            "templates", base.templates, ours.templates, theirs.templates, lambda key, _: Template(key)
        ),
    }
    for name in _WHOLE:
        merged[name] = merging.value(name, getattr(base, name), getattr(ours, name), getattr(theirs, name))
    result = _with_free_indexes(Schema(**merged), ours)
    return result, merging.conflicts + _senseless_together(result, ours, theirs)


def _bare_label(key: str, other: Label) -> Label:
    """What both sides count as having started from, where both made a label of the same key."""
    return Label(key, key, other.index)


def _with_free_indexes(merged: Schema, ours: Schema) -> Schema:
    taken: set[int] = set()
    labels = dict(merged.labels)
    free = merged.next_index()
    had = {(label.key, label.index) for label in ours.labels.values()}
    for key in sorted(labels, key=lambda key: ((key, labels[key].index) not in had, labels[key].index, key)):
        if labels[key].index in taken:
            labels[key] = replace(labels[key], index=free)
            free += 1
        taken.add(labels[key].index)
    return replace(merged, labels=labels)


def _senseless_together(merged: Schema, ours: Schema, theirs: Schema) -> list[SchemaConflict]:
    found = list(schema_problems(merged))
    known = {*schema_problems(ours), *schema_problems(theirs)} if found else set()
    return [SchemaConflict(p.path, None, None, None, f"together it {p.problem}") for p in found if p not in known]


class _Merging:
    """One merge on its way."""

    def __init__(self) -> None:
        self.conflicts: list[SchemaConflict] = []

    def definitions(
        self,
        section: str,
        base: Mapping[str, Any],
        ours: Mapping[str, Any],
        theirs: Mapping[str, Any],
        bare: Callable[[str, Any], Any],
    ) -> dict[str, Any]:
        """One section, by key."""
        merged: dict[str, Any] = {}
        for key in sorted(base.keys() | ours.keys() | theirs.keys()):
            sides = base.get(key), ours.get(key), theirs.get(key)
            found = self._definition(f"{section}.{key}", *sides, bare)
            if found is not None:
                merged[key] = found
        return merged

    def _definition(self, path: str, base: Any, ours: Any, theirs: Any, bare: Callable[[str, Any], Any]) -> Any:
        if theirs in (base, ours):
            return ours
        if ours == base:
            return theirs
        if ours is None or theirs is None:
            self._conflict(path, base, ours, theirs, "removed on one side and changed on the other")
            return ours or theirs
        start = base if base is not None else bare(ours.key, ours)
        changes = {}
        for field in fields(ours):
            sides = getattr(start, field.name), getattr(ours, field.name), getattr(theirs, field.name)
            if field.name == "options":
                changes["options"] = self._options(f"{path}.options", *sides)
            elif field.name == "index":
                changes["index"] = sides[2] if sides[1] == sides[0] and base is not None else sides[1]
            elif field.name != "key":
                changes[field.name] = self.value(f"{path}.{field.name}", *sides)
        return replace(ours, **changes)

    def value(self, path: str, base: Any, ours: Any, theirs: Any) -> Any:
        """One value, lists of keys and maps taken apart."""
        if theirs in (base, ours):
            return ours
        if ours == base:
            return theirs
        if isinstance(ours, Mapping):
            return self._map(path, base, ours, theirs)
        if isinstance(ours, tuple) and all(isinstance(item, str) for item in (*base, *ours, *theirs)):
            return _merged_keys(base, ours, theirs)
        self._conflict(path, base, ours, theirs, "changed on both sides")
        return ours

    def _map(self, path: str, base: Any, ours: Any, theirs: Any) -> dict[str, Any]:
        merged = {}
        for key in sorted(base.keys() | ours.keys() | theirs.keys()):
            sides = [side.get(key, _MISSING) for side in (base, ours, theirs)]
            found = sides[1] if sides[2] in (sides[0], sides[1]) else sides[2]
            if sides[1] not in (sides[0], sides[2]) and sides[2] != sides[0]:
                was, our, their = (None if side is _MISSING else side for side in sides)
                self._conflict(f"{path}.{key}", was, our, their, "changed on both sides")
                found = sides[1]
            if found is not _MISSING:
                merged[key] = found
        return merged

    def _options(self, path: str, base: Any, ours: Any, theirs: Any) -> tuple[Option, ...]:
        was, our, their = ({option.key: option for option in side} for side in (base, ours, theirs))
        merged = self.definitions(path, was, our, their, lambda key, _: Option(key))
        order = _merged_keys(was, tuple(our), tuple(their))
        return tuple(merged[key] for key in (*order, *(key for key in merged if key not in order)) if key in merged)

    def _conflict(self, path: str, base: Any, ours: Any, theirs: Any, reason: str) -> None:
        self.conflicts.append(SchemaConflict(path, plain(base), plain(ours), plain(theirs), reason))


def _merged_keys(base: Iterable[str], ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, ...]:
    """Keys in our order, less what they removed, and what they added at the end."""
    base = set(base)
    kept = [key for key in ours if key in theirs or key not in base]
    return (*kept, *(key for key in theirs if key not in ours and key not in base))
