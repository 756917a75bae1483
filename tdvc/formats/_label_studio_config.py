"""The labelling configuration that goes with the tasks: what is shown, and a control for each kind of result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import quoteattr

from tdvc.formats import _carry
from tdvc.formats._label_studio_names import DEFAULT_NAMES, PICTURE, TIMELINE, TRACK, VIDEO
from tdvc.formats.base import LabelRecord
from tdvc.names import printable

_TAGS = {
    "brushlabels": "BrushLabels",
    "choices": "Choices",
    "datetime": "DateTime",
    "ellipselabels": "EllipseLabels",
    "keypointlabels": "KeyPointLabels",
    "labels": "Labels",
    "number": "Number",
    "polygonlabels": "PolygonLabels",
    "rating": "Rating",
    "rectangle": "Rectangle",
    "rectanglelabels": "RectangleLabels",
    "textarea": "TextArea",
    TIMELINE: "TimelineLabels",
    TRACK: "VideoRectangle",
}


def config(labels: Sequence[LabelRecord], controls: dict[tuple[str, str], str]) -> Iterator[bytes]:
    """The content of the file.

    Args:
        labels: the classes, which every control has in their order.
        controls: the type of result of every control, by its name and that of its object.
    """
    needed = {from_name: (type_, to_name) for (from_name, to_name), type_ in reversed(controls.items())}
    if not needed:
        needed = {DEFAULT_NAMES["rectanglelabels"]: ("rectanglelabels", PICTURE)}
    lines = ["<View>"]
    videos = {to_name for type_, to_name in needed.values() if type_ in (TRACK, TIMELINE)} | {VIDEO}
    for to_name in sorted({to_name for _, to_name in needed.values()}):
        tag, key = ("Video", VIDEO) if to_name in videos else ("Image", PICTURE)
        lines.append(f'  <{tag} name={_quoted(to_name)} value="${key}"/>')
    for from_name, (type_, to_name) in sorted(needed.items()):
        if type_ not in _TAGS:
            continue
        head = f"  <{_TAGS[type_]} name={_quoted(from_name)} toName={_quoted(to_name)}"
        if type_ == TRACK:  # which shows the classes of another control
            lines.append(f"{head}/>")
            head = f"  <Labels name={_quoted(f'{from_name}_label')} toName={_quoted(to_name)}"
        if type_ in ("choices", TRACK) or type_.endswith("labels"):
            tag = "Choice" if type_ == "choices" else "Label"
            lines += [
                f"{head}>",
                *(f"    <{tag}{_label_attributes(label)}/>" for label in labels),
                "  </Labels>" if type_ == TRACK else f"  </{_TAGS[type_]}>",
            ]
        else:
            lines.append(f"{head}/>")
    yield "\n".join([*lines, "</View>", ""]).encode()


def _label_attributes(label: LabelRecord) -> str:
    fields = {key: value for key, value in label.fields.items() if _carry.is_text(value) and key.isidentifier()}
    fields["alias" if "value" in fields else "value"] = label.name
    return "".join(f" {key}={_quoted(value)}" for key, value in sorted(fields.items()))


def _quoted(text: str) -> str:
    return quoteattr(printable(text))
