"""Everything tdvc knows of a file as one JSON object, for formats that have room for it, and back.

    {"blob", "complete", "file_id", "height", "instances": [...], "path", "properties", "split", "width"}

Instances have tdvc's own fields. What is absent is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tdvc.errors import SchemaError
from tdvc.formats._carry import for_file, is_hex, is_text, of_file, split_in
from tdvc.formats.base import FileRecord
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, fields_of, make_instance


def fields_of_file(record: FileRecord) -> dict[str, Any]:
    """All that is known of a file; numbers as they came."""
    size = dict(zip(("width", "height"), record.size, strict=True)) if record.size else {}
    blob = {"blob": record.blob} if record.blob else {}
    instances = [fields_of(instance) for instance in record.instances]
    return {"path": record.path, "instances": instances} | blob | size | of_file(record, "")


def is_whole(fields: Any) -> bool:
    """Whether an object is of this kind: it has a path and a list of instances."""
    return isinstance(fields, dict) and is_text(fields.get("path")) and isinstance(fields.get("instances"), list)


def record_from(
    fields: Mapping[str, Any], own: str, place: str, report: Report, *, split: str = "", **where: Any
) -> FileRecord:
    """The file of such an object; instances that can't be understood are reported.

    Args:
        fields: the object, numbers as `Number`.
        own: the format's name, from which ids are derived where instances have none.
        place: where problems are said to be.
        report: told of what is left out.
        split: the split where the object names none.
        where: `path`, and `source` or `content`.
    """
    about = for_file(fields)
    properties = dict(about.pop("properties", {}))
    split = split_in(fields) or split
    if split:
        properties["splits"] = [split]
    instances = instances_from(fields["instances"], own, where["path"], place, report)
    where.setdefault("source", None)
    blob = fields.get("blob") if is_hex(fields.get("blob"), 64) else None
    return FileRecord(instances=instances, properties=properties, size=size_in(fields), blob=blob, **about, **where)


def size_in(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height, where both are given as whole numbers of pixels."""
    sides = [fields.get("width"), fields.get("height")]
    if not all(isinstance(side, Number) and side.isdigit() and 0 < len(side) < 10 and int(side) for side in sides):
        return None
    return int(str(sides[0])), int(str(sides[1]))


def instances_from(values: Iterable[Any], own: str, path: str, place: str, report: Report) -> list[Instance]:
    """Instances given by tdvc's fields; those that break a rule or repeat an id are reported."""
    taken: dict[str, Instance] = {}
    for position, fields in enumerate(values):
        try:
            instance = _instance(fields, derived_instance_id(own, path, str(position)))
        except (SchemaError, ValueError) as error:
            reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
            code, message = "instance-invalid", f"Instance {position}: {reason}."
        else:
            if taken.setdefault(instance.instance_id, instance) is instance:
                continue
            code, message = "duplicate-instance", f"The id {instance.instance_id} is used twice in this file."
        report(Problem(code, place, message, str(position), dropped_instances=1))
    return list(taken.values())


def _instance(fields: Any, identity: str) -> Instance:
    if isinstance(fields, ValueError):
        raise fields
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")
    given = fields.get("instance_id")
    return make_instance({**fields, "instance_id": identity if given is None else given})
