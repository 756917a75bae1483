"""What `stats` notes of a state, page by page over its columns, and the figures that come of it.

Everything is counted for a whole page at once; what is kept has a bound (`statscounting`), whatever the size of the
state. Labels and types go by the place at which they were met first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tdvc.ids import FileId
from tdvc.model.schema import Schema
from tdvc.ops.pictures import PROBLEMS, Blobs
from tdvc.ops.stats.answers import Answers
from tdvc.ops.stats.counting import Ints, Places, Samples, Tally, added, different, pairs
from tdvc.ops.stats.records import (
    Bin,
    Imbalance,
    LabelFigures,
    PictureFigures,
    PictureSize,
    StateStats,
    Together,
)
from tdvc.ops.validating_page import Page

MAX_LABELS_OF_FILE = 200
"""A file with more different labels is left out of the pairs: they grow with the square."""

_WIDTH, _HEIGHT = 0, 1
_STEPS = np.concatenate(([0], 1 << np.arange(62, dtype=np.int64)))
_MISSING = PROBLEMS.index("missing")


class Notes:
    """Notes on the pages of one state.

    Args:
        stale: the files whose mark is stale.
    """

    def __init__(self, stale: frozenset[FileId]) -> None:
        self._stale_files = stale
        self._files = self._bytes = self._complete = self._stale = self._damaged = self._crowded = 0
        self._instances: Ints = np.zeros(0, np.int64)
        self._with_label: Ints = np.zeros(0, np.int64)
        self._labels, self._types = Places(), Places()
        self._label_types, self._pairs = Tally(), Tally()
        self._areas, self._relative_areas, self._aspects = Samples(), Samples(), Samples()
        self._answers = Answers()
        self._histogram: Ints = np.zeros(0, np.int64)
        self._media_types: Counter[str] = Counter()
        self._pictures: Counter[str] = Counter()
        self._sizes, self._sides = Tally(), Samples()
        self._unknown: list[Blobs] = []

    def note(self, page: Page) -> None:
        """Take notes of a page."""
        labels = self._labels.of(*page.labels)
        self._note_files(page)
        self._note_labels(page, labels)
        self._note_shapes(page, labels)
        self._note_pictures(page)
        self._answers.note(labels, page.columns.instances.column("attributes"))

    def _note_files(self, page: Page) -> None:
        files, damaged = page.columns.files, page.of_files("damaged")
        complete = page.of_files("complete") > 0
        self._files += files.num_rows
        self._bytes += int(page.of_files("size_bytes").sum())
        self._complete += int(complete.sum())
        self._damaged += int(damaged.sum())
        self._media_types.update(files.column("media_type").to_pylist())
        counts = np.bincount(page.file, minlength=files.num_rows)[~damaged]
        self._histogram = added(self._histogram, np.bincount(np.searchsorted(_STEPS, counts)))
        if self._stale_files:
            self._stale += sum(identity in self._stale_files for identity in files.column("file_id").to_pylist())

    def _note_labels(self, page: Page, labels: Ints) -> None:
        self._instances = added(self._instances, np.bincount(labels))
        self._label_types.add(labels, self._types.of(*page.types))
        width = max(1, len(self._labels))
        files, of_file = np.divmod(different(page.file.astype(np.int64) * width + labels), width)
        self._with_label = added(self._with_label, np.bincount(of_file))
        crowded = np.bincount(files) > MAX_LABELS_OF_FILE
        self._crowded += int(crowded.sum())
        self._pairs.add(*pairs(files[~crowded[files]], of_file[~crowded[files]]))

    def _note_shapes(self, page: Page, labels: Ints) -> None:
        area = page.of_instances("area").astype(np.float64)
        width, height = page.frame_of_instance
        x0, y0, x1, y1 = page.box
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            kinds = (
                (self._areas, area),
                (self._relative_areas, area / (width * height)),
                (self._aspects, np.where(y1 > y0, (x1 - x0) / (y1 - y0), np.nan)),
            )
        for samples, values in kinds:
            real = (values > 0) & np.isfinite(values)
            samples.add(labels[real], values[real])

    def _note_pictures(self, page: Page) -> None:
        facts, known, pictures = page.facts, page.known, page.of_files("picture")
        measured = page.has_size & (facts["problem"] == 0)
        self._pictures["files"] += int(pictures.sum())
        self._pictures["measured"] += int(measured.sum())
        self._pictures["missing"] += int((known & (facts["problem"] == _MISSING)).sum())
        self._pictures["unreadable"] += int((known & (facts["problem"] > _MISSING)).sum())
        self._unknown.append(page.blobs[pictures & ~known])
        width, height = facts["width"][measured].astype(np.int64), facts["height"][measured].astype(np.int64)
        self._sizes.add(width, height)
        for side, lengths in ((_WIDTH, width), (_HEIGHT, height)):
            self._sides.add(np.full(len(lengths), side), lengths.astype(np.float64))

    def unknown_pictures(self) -> Blobs:
        """The blobs of pictures of which nothing was known."""
        return np.concatenate(self._unknown) if self._unknown else np.zeros((0, 32), np.uint8)

    # figures

    def shares(self) -> dict[str, float]:
        """Key of every label that has instances to its share of them."""
        total = int(self._instances.sum())
        return {key: count / total for key, count in zip(self._labels, self._instances.tolist(), strict=True)}

    def state(self, found: StateStats, schema: Schema, wanted: frozenset[str] | None, top: int) -> StateStats:
        """Put the figures into a record.

        Args:
            found: the record.
            schema: of the state.
            wanted: keys of the labels that are listed; all for None.
            top: how many are listed of what may be many.
        """
        found.files, found.bytes, found.instances = self._files, self._bytes, int(self._instances.sum())
        found.damaged, found.crowded = self._damaged, self._crowded
        found.files_without_instances = int(self._histogram[0]) if len(self._histogram) else 0
        found.complete, found.stale = self._complete - self._stale, self._stale
        found.incomplete = self._files - self._complete
        keys = list(self._labels)
        found.label_count = len(keys)
        found.imbalance = _imbalance(keys, self._instances)
        found.labels = self._label_figures(keys, schema, wanted, top)
        found.types = self._type_counts()
        found.answers_left_out = self._answers.left_out
        found.label_pairs, found.together = self._together(keys, wanted, top)
        found.rare_pairs_dropped = self._pairs.dropped
        found.media_types = dict(sorted(self._media_types.items(), key=lambda item: (-item[1], item[0]))[:top])
        found.pictures = self._picture_figures(top)
        found.instances_per_file = self._bins()
        found.mean_instances = found.instances / found.files if found.files else 0.0
        return found

    def _label_figures(
        self, keys: Sequence[str], schema: Schema, wanted: frozenset[str] | None, top: int
    ) -> list[LabelFigures]:
        names, total = schema.names(), int(self._instances.sum())
        areas, relative, aspects = (
            samples.quantiles() for samples in (self._areas, self._relative_areas, self._aspects)
        )
        answers = self._answers.figures(schema, self._instances, top)
        types = self._types_of_labels()
        found = [
            LabelFigures(
                key=key,
                name=names.get(key, key),
                files=int(self._with_label[place]),
                instances=int(self._instances[place]),
                share=int(self._instances[place]) / total,
                types=types[place],
                area=areas.get(place),
                relative_area=relative.get(place),
                aspect=aspects.get(place),
                attributes=answers.get(place, []),
            )
            for place, key in enumerate(keys)
            if wanted is None or key in wanted
        ]
        found.sort(key=lambda label: (-label.instances, label.key))
        return found + _unused(schema, set(keys), wanted)

    def _types_of_labels(self) -> list[dict[str, int]]:
        names = list(self._types)
        found: list[dict[str, int]] = [{} for _ in self._labels]
        for label, kind, count in zip(*(column.tolist() for column in self._label_types.counted()), strict=True):
            found[label][names[kind]] = count
        return found

    def _type_counts(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for types in self._types_of_labels():
            counts.update(types)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def _together(self, keys: Sequence[str], wanted: frozenset[str] | None, top: int) -> tuple[int, list[Together]]:
        first, second, files = self._pairs.counted()
        rank = np.argsort(np.argsort(np.array(keys, object)))
        low, high = np.sort(np.stack((rank[first], rank[second])), axis=0)
        order = np.lexsort((high, low, -files))
        if wanted is not None:
            asked = np.array([key in wanted for key in keys], bool)
            order = order[asked[first[order]] | asked[second[order]]]
        ordered = sorted(keys)
        listed = []
        for pair in order[:top].tolist():
            both = int(files[pair])
            either = int(self._with_label[first[pair]] + self._with_label[second[pair]]) - both
            listed.append(Together((ordered[low[pair]], ordered[high[pair]]), both, both / either))
        return len(files), listed

    def _picture_figures(self, top: int) -> PictureFigures:
        counts, sides = self._pictures, self._sides.quantiles()
        width, height, files = self._sizes.counted()
        order = np.lexsort((height, width, -files))[:top].tolist()
        return PictureFigures(
            files=counts["files"],
            measured=counts["measured"],
            unreadable=counts["unreadable"],
            missing=counts["missing"],
            unknown=counts["files"] - counts["measured"] - counts["unreadable"] - counts["missing"],
            width=sides.get(_WIDTH),
            height=sides.get(_HEIGHT),
            different_sizes=len(files),
            sizes=[PictureSize(int(width[at]), int(height[at]), int(files[at])) for at in order],
        )

    def _bins(self) -> list[Bin]:
        bins = []
        for step, files in enumerate(self._histogram.tolist()):
            most = int(_STEPS[step])
            bins.append(Bin(int(_STEPS[step - 1]) + 1 if step else 0, most, files))
        return bins


def _unused(schema: Schema, used: set[str], wanted: frozenset[str] | None) -> list[LabelFigures]:
    """The labels of a schema that no instance has: those that are wanted, or else that are still to be given."""
    return [
        LabelFigures(label.key, label.name or label.key, 0, 0, 0.0)
        for label in schema.in_order()
        if label.key not in used and (not label.deprecated if wanted is None else label.key in wanted)
    ]


def _imbalance(keys: Sequence[str], instances: Ints) -> Imbalance:
    if not len(keys):
        return Imbalance()
    order = sorted(range(len(keys)), key=lambda place: (-int(instances[place]), keys[place]))
    shares = instances / instances.sum()
    return Imbalance(
        largest=keys[order[0]],
        smallest=keys[order[-1]],
        ratio=int(instances[order[0]]) / int(instances[order[-1]]),
        effective_labels=float(np.exp(-(shares * np.log(shares)).sum())),
    )
