"""What a locked schema refuses: labels, attributes and options that it does not know, in data that comes in.

Attributes are held to a schema only where it defines any: one that was learned from data knows labels alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tdvc.errors import SchemaError
from tdvc.model import numbers
from tdvc.model.attributes import answer_problems
from tdvc.model.records import Instance
from tdvc.model.schema import Schema
from tdvc.names import printable


def refuse_unknown(schema: Schema, path: str, instances: Iterable[Instance], before: Sequence[Instance] = ()) -> None:
    """Check the instances of a file against a locked schema; one that is in `before` as it is, is let be.

    Raises:
        SchemaError: schema-locked, with the file and the label.
    """
    if not schema.locked:
        return
    known = {instance.instance_id: instance for instance in before}
    for instance in instances:
        former = known.get(instance.instance_id)
        if former is not instance and former != instance:
            _check(schema, path, instance)


def _check(schema: Schema, path: str, instance: Instance) -> None:
    label = schema.labels.get(instance.label)
    if label is None:
        raise _unknown(path, instance.label, f"no label {instance.label!r}")
    if not schema.attributes:
        return
    for problem in answer_problems(schema, label.attributes, numbers.parse(bytes(instance.attributes))):
        if problem.code == "unknown-attribute":
            raise _unknown(path, label.key, f"no attribute {problem.attribute!r} for the label {label.key!r}")
        if problem.code == "unknown-option":
            what = f"no option {numbers.spell(problem.value).decode()[:100]} for the attribute {problem.attribute!r}"
            raise _unknown(path, label.key, f"{what} of the label {label.key!r}")


def _unknown(path: str, label: str, what: str) -> SchemaError:
    return SchemaError(
        "schema-locked",
        f"{printable(path)}: the schema is locked and has {what}.",
        hint="tdvc schema edit, or tdvc schema unlock",
        path=path,
        labels=[label],
    )


def with_keys(instances: Iterable[Instance], synonyms: dict[str, str]) -> Iterable[Instance]:
    """The instances with the keys of labels where they have names or aliases; see `Schema.synonyms`."""
    if not synonyms:
        return instances
    return [
        msgspec.structs.replace(instance, label=synonyms[instance.label]) if instance.label in synonyms else instance
        for instance in instances
    ]
