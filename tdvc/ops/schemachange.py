"""Changes of the schema that touch instances: merge, split, delete, move an attribute, change a spatial type.

What can be decided is done, in one operation; what can't is left as it is and listed as to do. A label that is merged
away leaves its names as aliases, so that the source it once came from can be imported again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from tdvc.errors import NotFound, Refused, Usage
from tdvc.model import numbers
from tdvc.model.attributes import attribute_tree
from tdvc.model.conversion import CONVERSIONS, converted
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.numbers import Number
from tdvc.model.records import Instance, check_instance
from tdvc.model.schema import CHOICES, Label, Schema
from tdvc.names import printable
from tdvc.ops.evolution import (
    Evolution,
    SchemaResult,
    ToDo,
    answers_of,
    find_attribute,
    find_label,
    with_definition,
    with_label_of,
    without_label,
)
from tdvc.repo.repository import Repository


def merge_labels(
    repository: Repository, old: Sequence[str], new: str, directory: str | None = None, *, dry_run: bool = False
) -> SchemaResult:
    """Make one label of several: instances of `old` become instances of `new`, and the old labels go.

    Args:
        repository: the repository.
        old: labels that go.
        new: a label that is there.
        directory: one with a schema of its own; None for the repository's.
        dry_run: change nothing; say what would be done.

    Raises:
        NotFound: label-not-found.
        Usage: bad-usage, where a label would be merged into itself.
        Refused: schema-followed.
    """
    shown = " ".join(map(printable, old))
    with Evolution(repository, f"schema merge {shown} into {printable(new)}", directory) as evolution:
        target = find_label(evolution.schema, new)
        gone = [find_label(evolution.schema, text) for text in old]
        if not gone or target in gone:
            raise Usage("bad-usage", "Name at least one label to merge, and another one to merge it into.")
        keys = {label.key for label in gone}
        evolution.rewrite(keys, lambda instance: with_label_of(instance, target.key))
        return evolution.change(_merged(evolution.schema, gone, target), dry_run=dry_run)


def _merged(schema: Schema, gone: Sequence[Label], target: Label) -> Schema:
    texts = list(target.aliases)
    for label in gone:
        texts += [label.key, label.name, *label.aliases]
        schema = without_label(schema, label.key)
    kept = schema.labels[target.key]
    parent = "" if kept.parent == target.key else kept.parent
    aliases = tuple(text for text in dict.fromkeys(texts) if text not in (kept.key, kept.name))
    return with_definition(schema, replace(kept, aliases=aliases, parent=parent))


def delete_label(
    repository: Repository, label: str, to: str | None = None, directory: str | None = None, *, dry_run: bool = False
) -> SchemaResult:
    """Take a label out of the schema; its instances become instances of `to`.

    Raises:
        NotFound: label-not-found.
        Refused: label-in-use, where there are instances and no `to`; schema-followed.
    """
    if to is not None:
        return merge_labels(repository, [label], to, directory, dry_run=dry_run)
    with Evolution(repository, f"schema delete {printable(label)}", directory) as evolution:
        gone = find_label(evolution.schema, label)
        if found := next(evolution.instances_of(gone.key), None):
            raise Refused(
                "label-in-use",
                f"{printable(found[0])} has instances of {gone.key!r}.",
                hint="Name the label that they get: --to LABEL",
                label=gone.key,
            )
        return evolution.change(without_label(evolution.schema, gone.key), dry_run=dry_run)


def split_label(
    repository: Repository,
    label: str,
    by: str | None = None,
    into: Mapping[str, str] | None = None,
    directory: str | None = None,
    *,
    dry_run: bool = False,
) -> SchemaResult:
    """Make several labels of one, by what its instances answer.

    Instances that no condition fits stay as they are and are listed as to do; where none is left, the label becomes
    deprecated. New labels get the parent, the spatial types, the template and the attributes of the old one.

    Args:
        repository: the repository.
        label: the label to split.
        by: an attribute; each of its options becomes a label, unless `into` says otherwise.
        into: answer of `by` to the key of a new or known label; without `by`, conditions such as `state=red`.
        directory: one with a schema of its own; None for the repository's.
        dry_run: change nothing; say what would be done.

    Raises:
        NotFound: label-not-found, attribute-not-found.
        Usage: bad-usage, without a condition.
        Refused: schema-followed.
    """
    shown = f" by {printable(by)}" if by else ""
    with Evolution(repository, f"schema split {printable(label)}{shown}", directory) as evolution:
        schema = evolution.schema
        found = find_label(schema, label)
        conditions = _conditions(schema, by, into or {})
        targets = {(key, answer): schema.key_of(text) or text for (key, answer), text in conditions.items()}
        left = []

        def change(instance: Instance) -> Instance | str:
            answers = answers_of(instance)
            for (key, answer), target in targets.items():
                if _answers(answers.get(key), answer):
                    return with_label_of(instance, target)
            left.append(instance.instance_id)
            return "no condition of the split fits its answers"

        evolution.rewrite([found.key], change)
        return evolution.change(_split(schema, found, targets, conditions, bool(left)), dry_run=dry_run)


def _conditions(schema: Schema, by: str | None, into: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(Attribute, answer) to the label that is named for it."""
    if by is None:
        pairs = {condition: condition.partition("=") for condition in into}
        if not into or not all(sign and key for key, sign, _ in pairs.values()):
            raise Usage("bad-usage", "Name an attribute to split by, or conditions such as state=red.")
        return {(pairs[text][0], pairs[text][2]): target for text, target in into.items()}
    attribute = schema.attributes.get(by)
    if into:
        return {(by, answer): target for answer, target in into.items()}
    found = attribute or find_attribute(schema, by)
    if found.kind not in CHOICES:
        raise Usage("bad-usage", f"{by!r} has no options to split by.", hint="Name its answers: --into ANSWER=LABEL")
    return {(by, option.key): option.name or option.key for option in found.options}


def _answers(given: Any, wanted: str) -> bool:
    """Whether an answer is, or is among others, the one that a text means."""
    if isinstance(given, list):
        return any(_answers(item, wanted) for item in given)
    if isinstance(given, bool):
        return wanted == ("true" if given else "false")
    return given == Number(wanted) if isinstance(given, Number) else bool(given == wanted)


def _split(
    schema: Schema,
    old: Label,
    targets: Mapping[tuple[str, str], str],
    conditions: Mapping[tuple[str, str], str],
    some_left: bool,
) -> Schema:
    for condition, key in targets.items():
        if key not in schema.labels:
            made = replace(
                old,
                key=key,
                name=conditions[condition],
                index=schema.next_index(),
                aliases=(),
                colour="",
                description="",
                guide="",
                deprecated=False,
                formats={},
            )
            schema = with_definition(schema, made)
    stays = some_left or old.key in targets.values()
    return schema if stays else with_definition(schema, replace(old, deprecated=True))


def move_attribute(
    repository: Repository,
    attribute: str,
    source: str,
    target: str,
    directory: str | None = None,
    *,
    dry_run: bool = False,
) -> SchemaResult:
    """Ask an attribute of another label. Answers that instances have are kept, and listed as to do.

    Raises:
        NotFound: label-not-found; attribute-not-found, where it is not asked of the label.
        Refused: schema-followed.
    """
    why = f"schema move attribute {printable(attribute)} from {printable(source)} to {printable(target)}"
    with Evolution(repository, why, directory) as evolution:
        schema = evolution.schema
        key = find_attribute(schema, attribute).key
        giver, taker = find_label(schema, source), find_label(schema, target)
        if key not in giver.attributes:
            known = ", ".join(giver.attributes)
            raise NotFound(
                "attribute-not-found",
                f"{key!r} is not asked of the label {giver.key!r}.",
                hint=f"Asked of it: {known}." if known else "It is asked nothing.",
                key=key,
            )
        if giver.key == taker.key:
            raise Usage("bad-usage", "The two labels are the same.")
        giver = replace(giver, attributes=tuple(k for k in giver.attributes if k != key))
        if key not in taker.attributes:
            taker = replace(taker, attributes=(*taker.attributes, key))
        changed = with_definition(with_definition(schema, giver), taker)
        evolution.left_to_do(_answered_still(evolution, changed, giver, key))
        return evolution.change(changed, dry_run=dry_run)


def _answered_still(evolution: Evolution, schema: Schema, label: Label, key: str) -> list[ToDo]:
    """Instances of a label that answer a question which is not asked of it any more."""
    asked = {attribute.key for attribute in attribute_tree(schema, label.attributes)}
    below = [attribute.key for attribute in attribute_tree(schema, [key]) if attribute.key not in asked]
    found = []
    for place, instance in evolution.instances_of(label.key):
        answered = [name for name in below if name in answers_of(instance)]
        if answered:
            reason = f"answers {', '.join(answered)}, which is not asked of {label.key} any more"
            found.append(ToDo(place, instance.instance_id, reason))
    return found


def change_type(
    repository: Repository,
    label: str,
    source: str,
    target: str,
    directory: str | None = None,
    *,
    dry_run: bool = False,
) -> SchemaResult:
    """Turn a label's instances of one spatial type into another where that is exact; list the others as to do.

    Exact are polygon to box, mask to box and box to polygon. The label's types follow: the new one takes the place of
    the old, which stays allowed as long as something is to do. Both stay as they are where every type is allowed.

    Raises:
        NotFound: label-not-found.
        Usage: bad-usage, for a type that there is not.
        Refused: schema-followed.
    """
    for name in (source, target):
        if name not in SPATIAL_TYPES:
            raise Usage("bad-usage", f"{name!r} is no spatial type; known: {', '.join(SPATIAL_TYPES)}.")
    if source == target:
        raise Usage("bad-usage", "The two types are the same.")
    why = f"schema change type of {printable(label)} from {source} to {target}"
    with Evolution(repository, why, directory) as evolution:
        found = find_label(evolution.schema, label)
        left: list[str] = []
        evolution.rewrite([found.key], _conversion(source, target, left))
        changed = replace(found, types=_other_types(found.types, source, target, bool(left)))
        return evolution.change(with_definition(evolution.schema, changed), dry_run=dry_run)


def _conversion(source: str, target: str, left: list[str]) -> Callable[[Instance], Instance | str]:
    """What turns an instance of one type into another; ids of those that can't be turned go into `left`."""
    possible = (source, target) in CONVERSIONS

    def change(instance: Instance) -> Instance | str:
        if instance.type != source:
            return instance
        shape = converted(source, target, numbers.parse(bytes(instance.geometry))) if possible else None
        if shape is None:
            left.append(instance.instance_id)
            return f"a {source} can't be turned into a {target} exactly"
        raw = msgspec.Raw(numbers.spell(shape))
        return check_instance(msgspec.structs.replace(instance, type=target, geometry=raw))

    return change


def _other_types(types: Mapping[str, str], source: str, target: str, some_left: bool) -> Mapping[str, str]:
    if not types:
        return types
    policy = types.get(source, "allowed")
    others = {name: value for name, value in types.items() if name not in (source, target)}
    kept = {source: "allowed"} if some_left else {}
    return {**others, **kept, target: types.get(target, "allowed") if policy in ("allowed", "denied") else policy}
