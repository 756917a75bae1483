"""Instances and instance sets: the annotation of one file at one moment.

On disk an instance set is JSON Lines: one instance a line, ordered by `instance_id`, keys sorted, no spaces, numbers
spelled as they came. The same instances always give the same bytes, so equal sets have equal ids; and the lines stay
readable and diffable without tdvc.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from tdvc.errors import SchemaError
from tdvc.ids import DerivedIds
from tdvc.model import geometry, numbers
from tdvc.model.geometry import Box

IMPORTED, HUMAN = "import", "human"
"""The `source` of instances that a format brought in, and of those that somebody made or corrected."""

MAX_LABEL_BYTES = 1024
MAX_INSTANCES = 1_000_000
MAX_FRAME = 2**63 - 1


class Instance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One annotation. Field order is alphabetical because it is the order on disk.

    Attributes:
        attributes: JSON object, attribute key to value.
        frame: index of the video frame, from 0.
        geometry: JSON, its shape given by `type` (see `tdvc.model.geometry`); absent for `tag`.
        instance_id: 32 hexadecimal digits, lasting.
        label: the label's stable key.
        properties: JSON object of what the source said that tdvc has no place for.
        score: JSON number, of predictions.
        sequence: ties the instances of one object over frames.
        source: `human`, `import` or the name of a model run.
        type: one of `geometry.SPATIAL_TYPES`.
    """

    attributes: msgspec.Raw = msgspec.Raw(b"{}")
    frame: int | None = None
    geometry: msgspec.Raw = msgspec.Raw(b"null")
    instance_id: str
    label: str
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    score: msgspec.Raw = msgspec.Raw(b"null")
    sequence: str | None = None
    source: str | None = None
    type: str

    def __repr__(self) -> str:
        return f"<Instance {self.instance_id[:8]} {self.label!r} {self.type} {bytes(self.geometry)[:60].decode()}>"

    @property
    def coordinates(self) -> Any:
        """The geometry as Python lists of ints and floats (or a dictionary for a mask); None for a tag."""
        return numbers.plain(numbers.parse(bytes(self.geometry)))

    @property
    def attribute_values(self) -> dict[str, Any]:
        """The attributes as plain Python values."""
        return dict(numbers.plain(numbers.parse(bytes(self.attributes))))

    @property
    def bounding_box(self) -> Box | None:
        """`(x0, y0, x1, y1)` in pixels, None where the type has no place in the picture."""
        return geometry.bounding_box(self.type, self.coordinates)


FIELDS = tuple(Instance.__struct_fields__)
RAW_FIELDS = ("attributes", "geometry", "properties", "score")


def new_instance_id() -> str:
    """A random id, for an instance that people make by hand."""
    return secrets.token_hex(16)


def derived_instance_id(*parts: str) -> str:
    """An id that the same source record always gets, so that importing twice changes nothing."""
    return DerivedIds("instance").make(*(part.encode() for part in parts)).hex()


def make_instance(fields: Mapping[str, Any]) -> Instance:
    """Build a canonical, checked instance from JSON-like fields.

    Values may be Python numbers, `numbers.Number` or `msgspec.Raw`. A missing `instance_id` is made up at random.

    Raises:
        SchemaError: bad-instance, with what is wrong.
    """
    values = {key: value for key, value in fields.items() if value is not None}
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise _bad(f"unknown field {unknown[0]!r}; put what tdvc has no place for in 'properties'")
    values.setdefault("instance_id", new_instance_id())
    try:
        for name in RAW_FIELDS:
            if name in values:
                spelled = numbers.spell(values.pop(name))
                if spelled not in (b"null", bytes(_DEFAULTS[name])):  # absent has one spelling: absent
                    values[name] = msgspec.Raw(spelled)
        if isinstance(values.get("frame"), numbers.Number):
            values["frame"] = int(values["frame"])
    except (TypeError, ValueError) as error:
        raise _bad(str(error)) from error
    return check_instance(_convert(values))


def _convert(values: dict[str, Any]) -> Instance:
    for name in ("instance_id", "label", "type"):
        if name not in values:
            raise _bad(f"the field {name!r} is missing")
    for name in ("instance_id", "label", "type", "sequence", "source"):
        if not isinstance(values.get(name, ""), str) or isinstance(values.get(name), numbers.Number):
            raise _bad(f"the field {name!r} must be text")
    frame = values.get("frame")
    if frame is None:
        return Instance(**values)
    if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame <= MAX_FRAME:
        raise _bad(f"the field 'frame' must be an integer from 0 to {MAX_FRAME}")
    return Instance(**values)


def check_instance(instance: Instance) -> Instance:
    """`instance` itself, or `SchemaError` (bad-instance)."""
    identity = instance.instance_id
    if len(identity) != 32 or identity.strip("0123456789abcdef"):
        raise _bad(f"instance_id {identity[:40]!r} is not 32 lower-case hexadecimal digits")
    problem = _text_problem(instance) or _json_problem(instance)
    if problem:
        raise _bad(problem, identity)
    return instance


def _text_problem(instance: Instance) -> str | None:
    if not instance.label or len(instance.label.encode(errors="replace")) > MAX_LABEL_BYTES:
        return f"the label must be 1 to {MAX_LABEL_BYTES} bytes of text"
    if "\0" in instance.label or not _encodable(instance.label):
        return "the label holds a NUL byte or is not valid Unicode"
    for name in ("sequence", "source"):
        if not _encodable(getattr(instance, name) or ""):
            return f"the field {name!r} is not valid Unicode"
    return None


def _json_problem(instance: Instance) -> str | None:
    for name in ("attributes", "properties"):
        if not bytes(getattr(instance, name)).startswith(b"{"):
            return f"the field {name!r} must be an object"
    try:
        for name in ("attributes", "properties"):
            numbers.check_kept_depth(bytes(getattr(instance, name)))
        score = bytes(instance.score)
        if score != b"null":
            numbers.value_of(score.decode())
        problem = geometry.shape_problem(instance.type, numbers.parse(bytes(instance.geometry)))
    except ValueError as error:
        return str(error)
    return f"{instance.type} {problem}" if problem else None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bad(problem: str, instance_id: str = "") -> SchemaError:
    where = f"Instance {instance_id}: " if instance_id else "Instance: "
    return SchemaError("bad-instance", f"{where}{problem}.", instance_id=instance_id, problem=problem)


_decoder = msgspec.json.Decoder(Instance)
_encoder = msgspec.json.Encoder()


def fields_of(instance: Instance) -> dict[str, Any]:
    """The instance as a dictionary for JSON output: raw parts stay raw, absent fields are left out."""
    return {name: getattr(instance, name) for name in FIELDS if getattr(instance, name) != _DEFAULTS.get(name)}


_DEFAULTS: dict[str, Any] = {
    "attributes": msgspec.Raw(b"{}"),
    "frame": None,
    "geometry": msgspec.Raw(b"null"),
    "properties": msgspec.Raw(b"{}"),
    "score": msgspec.Raw(b"null"),
    "sequence": None,
    "source": None,
}


def instance_from_json(text: bytes | msgspec.Raw) -> Instance:
    """Read one instance from outside, check it and make it canonical.

    Raises:
        SchemaError: bad-instance.
    """
    try:
        fields = numbers.parse(bytes(text))
    except ValueError as error:
        raise _bad(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise _bad("not a JSON object")
    return make_instance(fields)


def encode_set(instances: Iterable[Instance]) -> bytes:
    """The canonical bytes of an instance set.

    Raises:
        SchemaError: bad-instance, where two instances share an id or there are more than `MAX_INSTANCES`.
    """
    ordered = sorted(instances, key=attrgetter("instance_id"))
    if len(ordered) > MAX_INSTANCES:
        raise _bad(f"a file can have at most {MAX_INSTANCES} instances")
    ids = [instance.instance_id for instance in ordered]
    if len(set(ids)) < len(ids):
        twice = next(before for before, after in pairwise(ids) if before == after)
        raise _bad("the id is used twice in one file", twice)
    return _encoder.encode_lines(ordered)


def decode_set(content: bytes | memoryview) -> list[Instance]:
    """The instances of a stored set, ordered by id. The bytes must have been verified against their id before."""
    return _decoder.decode_lines(content)


def same_instance(a: Instance, b: Instance) -> bool:
    """Whether two instances say the same, however their numbers are spelled."""
    if a == b:
        return True
    for name in FIELDS:
        left, right = getattr(a, name), getattr(b, name)
        if name in RAW_FIELDS:
            if not numbers.same_value(bytes(left), bytes(right)):
                return False
        elif left != right:
            return False
    return True


class Revision(NamedTuple):
    """What becomes of an instance set: the instances it has now, and how many of them are new, changed or gone."""

    instances: list[Instance]
    added: int
    changed: int
    removed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def revise(before: Sequence[Instance], after: Iterable[Instance]) -> Revision:
    """Put `after` in place of `before`; an instance that differs in the spelling of numbers alone stays as it was."""
    known = {instance.instance_id: instance for instance in before}
    instances = []
    kept = changed = 0
    for instance in after:
        former = known.get(instance.instance_id)
        same = former is not None and same_instance(former, instance)
        kept += former is not None
        changed += former is not None and not same
        instances.append(former if same and former is not None else instance)
    return Revision(instances, len(instances) - kept, changed, len(known) - kept)
