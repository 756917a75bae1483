"""Whose results are whose: the annotations and predictions of a Label Studio task.

A task has any number of annotations, one for each time somebody submitted it, and any number of predictions, each of
one model. An instance says where it belongs by its source: `annotator:` and whom it was completed by, or the version of
the model. So the groups can be made again from the instances; only where that would lead elsewhere is the place of the
group kept in the instance's properties.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from tdvc.formats import _carry
from tdvc.model import numbers
from tdvc.model.records import Instance

FORMAT = "label-studio"
ANNOTATIONS = "annotations"
PREDICTIONS = "predictions"
KEPT_AS = {ANNOTATIONS: "annotation", PREDICTIONS: "prediction"}
"""The property of an instance that keeps the place of its group, by the kind of group."""

Home: TypeAlias = tuple[str, int]
"""`ANNOTATIONS` or `PREDICTIONS`, and the place in that list."""

Groups: TypeAlias = dict[str, list[dict[str, Any]]]

_ANNOTATOR = "annotator:"
_PREDICTION = "prediction"


def own_properties(instance: Instance) -> dict[str, Any]:
    """What Label Studio once said of the instance; a copy."""
    return _carry.own_of(_carry.parsed(instance.properties), FORMAT)


def source_of(kind: str, group: dict[str, Any]) -> str | None:
    """The source of the instances of a group; None for an annotation by nobody in particular."""
    if kind == PREDICTIONS:
        version = group.get("model_version")
        return str(version) if version and isinstance(version, str) else _PREDICTION
    completed_by = group.get("completed_by")
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return f"{_ANNOTATOR}{completed_by}" if completed_by and isinstance(completed_by, str) else None


def is_cancelled(group: dict[str, Any]) -> bool:
    """Whether it is an annotation that was skipped: what is in it was not submitted."""
    return group.get("was_cancelled") is True


class Homes:
    """The groups of one task, which grow as instances need them.

    Args:
        groups: those that are there; not changed.
    """

    def __init__(self, groups: Groups) -> None:
        self.groups: Groups = {kind: list(groups.get(kind, ())) for kind in (ANNOTATIONS, PREDICTIONS)}
        self._home_of: dict[str, Home] = {}

    def settle(self, instances: Iterable[Instance]) -> dict[str, Home]:
        """The home of every instance by its id: as its properties say, else by its source."""
        ordered = sorted(instances, key=lambda instance: instance.type == "relation")
        for instance in ordered:
            self._home_of[instance.instance_id] = self._kept(instance) or self.by_source(instance)
        return self._home_of

    def _kept(self, instance: Instance) -> Home | None:
        own = own_properties(instance)
        for kind, name in KEPT_AS.items():
            place = numbers.plain(own.get(name))
            if isinstance(place, int) and 0 <= place < len(self.groups[kind]):
                return kind, place
        return None

    def by_source(self, instance: Instance) -> Home:
        """The group that the instance goes to by its source, new where there is none."""
        found = self._matching(instance)
        if found is None:
            kind, wanted = _wanted(instance)
            self.groups[kind].append(_new_group(kind, wanted))
            found = kind, len(self.groups[kind]) - 1
        return found

    def finds(self, instance: Instance, home: Home) -> bool:
        """Note that the instance lives there; whether `settle` would find that without being told."""
        found = self._matching(instance)
        self._home_of[instance.instance_id] = home
        return found == home

    def _matching(self, instance: Instance) -> Home | None:
        """The first group of the instance's source; for a relation, that of the instance it starts from."""
        if instance.type == "relation":
            start = _carry.parsed(instance.geometry)[0]
            if start in self._home_of:
                return self._home_of[start]
        kind, wanted = _wanted(instance)
        for place, group in enumerate(self.groups[kind]):
            if not is_cancelled(group) and _named(kind, source_of(kind, group)) == wanted:
                return kind, place
        return None


def _wanted(instance: Instance) -> tuple[str, str | None]:
    kind = ANNOTATIONS if bytes(instance.score) == b"null" else PREDICTIONS
    return kind, _named(kind, instance.source)


def _named(kind: str, source: str | None) -> str | None:
    """The part of a source that tells groups apart."""
    if kind == PREDICTIONS:
        return None if source == _PREDICTION else source
    return source if source and source.startswith(_ANNOTATOR) else None


def _new_group(kind: str, source: str | None) -> dict[str, Any]:
    if source is None:
        return {}
    if kind == PREDICTIONS:
        return {"model_version": source}
    name = source.removeprefix(_ANNOTATOR)
    return {"completed_by": numbers.Number(name) if name.isascii() and name.isdigit() else {"email": name}}


def to_carry(
    instance: Instance, own: dict[str, Any], source: str | None, said: Collection[str] = (), score_said: bool = True
) -> dict[str, Any]:
    """What has to be carried of an instance.

    Args:
        instance: the instance.
        own: what Label Studio once said of it.
        source: what its group says its source is.
        said: attributes that are written as results.
        score_said: its score is that of the result.
    """
    carried = _carry.of_instance(instance, FORMAT, without=("source", "score") if score_said else ("source",))
    if "id" not in own:
        carried.pop("instance_id", None)  # is the id of the result
    if instance.source != source:
        carried["source"] = instance.source
    if "attributes" in carried and said:
        rest = {key: value for key, value in _carry.parsed(instance.attributes).items() if key not in said}
        del carried["attributes"]
        carried |= {"attributes": rest} if rest else {}
    return carried


def with_carried(own: dict[str, Any], carried: dict[str, Any]) -> dict[str, Any]:
    """The `meta` of a result: what it had, and what has to be carried; no field where there is nothing."""
    meta = own.get("meta")
    meta = (meta if isinstance(meta, dict) else {}) | ({_carry.KEY: carried} if carried else {})
    return {"meta": meta} if meta else {}
