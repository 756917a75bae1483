"""The short way for usual annotations: a polygon or a mask, plain numbers, and no field but COCO's seven.

Nearly all annotations of large files are like that. Those of a picture are taken together and few numbers are parsed:
what is left of a text without its digits, its outline, tells whether it is what it should be. Every other annotation,
and every one of a picture with a field more, goes the long way, which leads to the same instance.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tdvc.formats._coco_segmentation import COORDINATES, ONE_RING, has_long_number, mask, polygon
from tdvc.ids import DerivedIds
from tdvc.model.records import Instance


class _Usual(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An annotation of the usual kind."""

    id: msgspec.Raw
    image_id: msgspec.Raw
    category_id: msgspec.Raw
    segmentation: msgspec.Raw
    area: msgspec.Raw
    bbox: msgspec.Raw
    iscrowd: msgspec.Raw


_QUOTES = 2 * len(_Usual.__struct_fields__)
_KEPT = b'{"coco":{"area":%b,"bbox":%b,"id":%b,"iscrowd":%b}}'
_FRAME = sum(len(f'"{key}":,') for key in _Usual.__struct_fields__) + 2 - len(_KEPT % ((b"",) * 4))
_KEPT_OUTLINE = (_KEPT % (b"", b"[,,,]", b"", b"")).translate(None, COORDINATES)
_MASK_BYTES = 1 << 20

_decode = msgspec.json.Decoder(list[_Usual]).decode


def usual_instances(
    annotations: Sequence[msgspec.Raw], ids: DerivedIds, names: dict[bytes, str]
) -> list[Instance | None]:
    """The instances of a picture's usual annotations, None for every other one.

    Args:
        annotations: the records.
        ids: makes ids of what is its own.
        names: of the categories by id.
    """
    text = b"[%b]" % b",".join(annotations)
    try:
        found = _decode(text)
    except ValueError:  # of msgspec, and where the name of a field is no UTF-8
        return [None] * len(annotations)
    shapes = [bytes(usual.segmentation) for usual in found]
    kept = [_KEPT % (usual.area, usual.bbox, usual.id, usual.iscrowd) for usual in found]
    together = b"".join(shapes)
    if len(text) != _said_bytes(found, kept, together):  # it has blanks, or a key is there twice
        if text.count(b'"') != _QUOTES * len(found) + together.count(b'"'):
            return [None] * len(annotations)
        kept = [said.translate(None, b" ") for said in kept]
    short = not has_long_number(together)
    return [
        _instance(usual, shape, said, short, ids, names) for usual, shape, said in zip(found, shapes, kept, strict=True)
    ]


def _said_bytes(found: list[_Usual], kept: list[bytes], together: bytes) -> int:
    """The length of a list of annotations without blanks, each key once."""
    rest = sum([len(usual.image_id) + len(usual.category_id) for usual in found])
    return rest + sum(map(len, kept)) + len(together) + _FRAME * len(found) + 1


def _instance(
    usual: _Usual, shape: bytes, kept: bytes, short: bool, ids: DerivedIds, names: dict[bytes, str]
) -> Instance | None:
    label = names.get(bytes(usual.category_id))
    if label is None or kept.translate(None, COORDINATES) != _KEPT_OUTLINE:
        return None
    outline = shape.translate(None, COORDINATES)
    if short and outline in ONE_RING:
        geometry: tuple[str, bytes] | None = ("polygon", b"[%b]" % shape)
    else:
        geometry = polygon(shape) if shape.startswith(b"[") else mask(shape)
    if geometry is None:
        return None
    return Instance(
        geometry=msgspec.Raw(geometry[1]),
        instance_id=ids.make_text(bytes(usual.id)),
        label=label,
        properties=msgspec.Raw(kept),
        type=geometry[0],
    )
