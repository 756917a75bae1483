"""COCO result files: a bare list of predictions, `{image_id, category_id, bbox | segmentation | keypoints, score}`.

They say which image and category by id alone, so a file of annotations is needed that has those ids: the one that the
model was run on. It is looked for beside the results, in the folder above, and where the user says the pictures are; in
each also in `annotations`. Where two files there mean different things by an id, the one counts whose split is in the
name of the result file, as COCO names them (`detections_val2017_resnet_results.json`); else nothing is guessed.

Every picture of that file is yielded, so that a picture on which the model finds nothing any more loses what an earlier
import of the run had there. Pictures bring no properties: results say nothing of them.

Source: the results format page of COCO, and `COCO.loadRes` of cocoapi.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tdvc.errors import FormatError, SchemaError
from tdvc.formats._coco_annotations import FORMAT, bad_annotation, instance_of
from tdvc.formats._coco_categories import Categories
from tdvc.formats._coco_document import ANNOTATIONS, files_of, load, load_results, owner_of, root_of, split_of
from tdvc.formats._coco_pictures import Image, Pictures, images_of
from tdvc.formats._coco_segmentation import geometry_of
from tdvc.formats._folder import ignore, shortened
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.ids import DerivedIds
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

Results = dict[int | str, list[msgspec.Raw]]

_VISIBILITIES = {numbers.Number(flag) for flag in ("0", "1", "2")}
_HINT = "Put the COCO file that the model was run on (instances_*.json) beside it, or name its pictures with --images."


@dataclass(frozen=True, slots=True)
class _Truth:
    """A file of annotations, of which only pictures and categories matter here."""

    path: Path
    split: str
    images: dict[int | str, tuple[Image, msgspec.Raw]]
    categories: list[msgspec.Raw]

    def names(self) -> dict[bytes, str]:
        """The names of the categories by id."""
        return Categories(ignore).take(self.categories, "")


def read_results(path: Path, report: Report, options: ReadOptions) -> Iterator[FileRecord | LabelRecord]:
    """Yield the categories of the file that the results are about, then its images with the predictions.

    Raises:
        FormatError: bad-format-file, where the results can't be read, or no such file is found.
    """
    results = _by_image(path, report)
    truths = _truths(path, options, results)
    _report_unknown(path, results, truths, report)
    categories = Categories(report)
    names: dict[bytes, str] = {}
    for truth in truths:
        names = categories.take(truth.categories, printable(truth.path.name)) | names
    yield from categories.records.values()
    pictures = Pictures(root_of(truths[0].path, options), report)
    met: set[int | str] = set()
    for truth in truths:
        for identity, (image, raw) in truth.images.items():
            found = results.get(identity, [])
            picture = pictures.take(image, raw, truth.split, len(found)) if identity not in met else None
            met.add(identity)
            if picture is not None:
                predicted = _predictions(picture.path, found, names, path.stem, report)
                yield FileRecord(picture.path, picture.source, predicted, size=image.size, run=path.stem)


def _by_image(path: Path, report: Report) -> Results:
    results: Results = {}
    for position, raw in enumerate(load_results(path)):
        try:
            results.setdefault(owner_of(raw), []).append(raw)
        except ValueError as error:
            place = f"{printable(path.name)}[{position}]"
            report(Problem("record-unreadable", place, f"The result {error}.", dropped_instances=1))
    return results


def _truths(path: Path, options: ReadOptions, results: Results) -> list[_Truth]:
    """The files of annotations that the results are about: those of the nearest folder that has some."""
    beside = path.absolute().parent
    folders = [beside, beside.parent]
    if options.images is not None:
        folders += [options.images, options.images.absolute().parent]
    for folder in folders:
        files = [file for file in files_of(folder, ANNOTATIONS) if file.absolute() != path.absolute()]
        truths = [truth for file in files if (truth := _truth(file)).images.keys() & results.keys()]
        if truths:
            return _agreeing(path, truths, results)
    message = (
        "says its pictures by number, and no COCO file that has them is beside it, in 'annotations' or one folder up"
    )
    raise _refused(path, message)


def _truth(path: Path) -> _Truth:
    document = load(path)
    images = images_of(document.images, path.name, ignore)
    return _Truth(path, split_of(path, False), {image.id: (image, raw) for image, raw in images}, document.categories)


def _agreeing(path: Path, truths: list[_Truth], results: Results) -> list[_Truth]:
    """The files, or those of the split that the results are called after where they do not say the same."""
    if not _disagree(truths, results):
        return truths
    words = re.split(r"[\W_]+", path.stem)
    named = [truth for truth in truths if truth.split and truth.split in words]
    if not named or _disagree(named, results):
        files = " and ".join(printable(truth.path.name) for truth in truths)
        raise _refused(path, f"has numbers of pictures or classes that mean different things in {files}")
    return named


def _disagree(truths: list[_Truth], results: Collection[int | str]) -> bool:
    """Whether a number means different pictures, or different classes."""
    pictures: dict[int | str, str] = {}
    classes: dict[bytes, str] = {}
    for truth in truths:
        for identity in truth.images.keys() & results:
            name = truth.images[identity][0].file_name
            if pictures.setdefault(identity, name) != name:
                return True
        if any(classes.setdefault(identity, name) != name for identity, name in truth.names().items()):
            return True
    return False


def _refused(path: Path, message: str) -> FormatError:
    name = printable(path.name)
    return FormatError("bad-format-file", f"{name} {message}.", hint=_HINT, path=name)


def _report_unknown(path: Path, results: Results, truths: list[_Truth], report: Report) -> None:
    known = {identity for truth in truths for identity in truth.images}
    for identity, found in results.items():
        if identity not in known:
            message = f"{len(found):,} results belong to image {shortened(str(identity))}, which is not there."
            report(Problem("record-unreadable", printable(path.name), message, dropped_instances=len(found)))


def _predictions(
    path: str, found: list[msgspec.Raw], names: dict[bytes, str], run: str, report: Report
) -> list[Instance]:
    """The predictions of a picture. They have no ids of their own; twins stay two."""
    place = printable(path)
    ids = DerivedIds("instance", FORMAT.encode(), path.encode(), run.encode())

    def warn(message: str) -> None:
        report(Problem("geometry-kept-aside", place, message, severity="warning"))

    instances: dict[str, Instance] = {}
    for raw in found:
        try:
            made = instance_of(_cleaned(raw), ids, names, lambda kept: geometry_of(kept, warn))
        except (SchemaError, ValueError) as error:
            report(bad_annotation(place, raw, error))
            continue
        identity, number = made.instance_id, 1
        while identity in instances:
            identity, number = ids.make(bytes(raw), str(number).encode()).hex(), number + 1
        instances[identity] = msgspec.structs.replace(made, instance_id=identity, source=run)
    return list(instances.values())


def _cleaned(raw: msgspec.Raw) -> msgspec.Raw:
    """A result that is nothing but a prediction.

    The id of the instance that it was made from is not its own. Keypoints have a visibility of 0, 1 or 2; scores that
    stand there go to a field of their own.
    """
    text = bytes(raw)
    if b'"keypoints"' not in text and b'"instance_id"' not in text:
        return raw
    fields = numbers.parse(text)
    fields.pop("instance_id", None)
    points = fields.get("keypoints")
    if isinstance(points, list) and all(isinstance(point, numbers.Number) for point in points):
        scores = points[2::3]
        if not set(scores) <= _VISIBILITIES:
            fields["keypoint_scores"] = scores
            fields["keypoints"] = list(points)
            fields["keypoints"][2::3] = [2 if numbers.value_of(score) > 0 else 0 for score in scores]
    return msgspec.Raw(numbers.spell(fields))
