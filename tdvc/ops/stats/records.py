"""What `stats` says: plain records, which are its JSON too. `docs/stats.md` defines every figure."""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA_VERSION = 1
"""Of the JSON; a figure that changes its meaning or goes makes the next one, a new figure does not."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """How values are spread. Each is a value that occurs: the smallest that so many of all do not exceed.

    Attributes:
        count: how many values there are.
        sampled: the figures are of an even sample of them.
    """

    count: int
    least: float
    p5: float
    p25: float
    median: float
    p75: float
    p95: float
    most: float
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to an attribute.

    Attributes:
        value: the answer; what is no text as JSON spells it, cut where it is long.
        name: what people see: that of the option.
        count: instances that gave it.
        share: those, as a share of the instances with an answer.
    """

    value: str
    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class AttributeFigures:
    """The answers of one label's instances to one attribute.

    Attributes:
        key: of the attribute.
        name: what people see.
        answered: instances with an answer.
        share: those, as a share of the label's instances.
        different: how many different answers were told apart, numbers aside.
        others: answers beyond those, where there are very many.
        answers: the most frequent ones.
        numbers: of the answers that are numbers; None where none is.
    """

    key: str
    name: str
    answered: int
    share: float
    different: int
    others: int = 0
    answers: list[Answer] = field(default_factory=list)
    numbers: Quantiles | None = None


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """One label of a state.

    Attributes:
        key: of the label.
        name: what people see.
        files: with an instance of it.
        instances: of it.
        share: of all instances.
        types: spatial type to instances.
        area: px², of the instances that enclose something.
        relative_area: the same as a share of the picture's, where its size is known.
        aspect: width by height of the bounding boxes.
        attributes: by key.
    """

    key: str
    name: str
    files: int
    instances: int
    share: float
    types: dict[str, int] = field(default_factory=dict)
    area: Quantiles | None = None
    relative_area: Quantiles | None = None
    aspect: Quantiles | None = None
    attributes: list[AttributeFigures] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How unevenly instances fall on the labels that have any.

    Attributes:
        largest: key of the label with most instances; empty where there are none.
        smallest: key of the one with fewest.
        ratio: instances of the largest by those of the smallest.
        effective_labels: how many labels of one size would be as even, exp(entropy).
    """

    largest: str = ""
    smallest: str = ""
    ratio: float | None = None
    effective_labels: float | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """Two labels in the same files: their keys, in how many files, and as a share of the files with either."""

    labels: tuple[str, str]
    files: int
    share: float


@dataclass(frozen=True, slots=True)
class PictureSize:
    """A size of pictures, px, and how many files have it."""

    width: int
    height: int
    files: int


@dataclass(frozen=True, slots=True)
class PictureFigures:
    """The files that are pictures, by their name or bytes.

    Attributes:
        files: all of them.
        measured: those whose size was read from their bytes.
        unreadable: those that are damaged, or too large to be read.
        missing: those whose bytes are not in the store.
        unknown: those in a format that is not read here.
        width: px, of the measured ones.
        height: px.
        different_sizes: how many there are.
        sizes: the most frequent ones.
    """

    files: int
    measured: int
    unreadable: int
    missing: int
    unknown: int
    width: Quantiles | None = None
    height: Quantiles | None = None
    different_sizes: int = 0
    sizes: list[PictureSize] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bin:
    """Files with `least` to `most` instances."""

    least: int
    most: int
    files: int


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """What a directory held at one commit, all files counted."""

    commit: str
    time: str
    files: int
    instances: int
    complete: int


@dataclass(frozen=True, slots=True)
class Growth:
    """The first-parent history of a directory, oldest first.

    Attributes:
        commits: how many there are.
        points: all of them, or some at even distances with the first and the last.
    """

    commits: int
    points: list[GrowthPoint]


@dataclass(slots=True)
class StateStats:
    """The figures of one state.

    Attributes:
        revision: as it was asked for.
        directory: whose state it is.
        root: id of the state, hexadecimal.
        commit: the commit that holds it, hexadecimal; None for a staged state that differs from its last one.
        files: that were counted: all, or those that the query means.
        bytes: of them.
        instances: of them.
        files_without_instances: of them.
        damaged: files whose instances can't be read; they count as files and nowhere else.
        complete: files that are complete today.
        stale: files that were so under a schema that asked less.
        incomplete: the other files.
        label_count: how many labels have instances.
        labels: those with most instances first, then those of the schema that have none and are not deprecated.
        imbalance: over all labels.
        types: spatial type to instances.
        answers_left_out: answers to more attributes than are looked at.
        label_pairs: how many different pairs of labels are together in a file.
        rare_pairs_dropped: there were so many that rare ones were dropped on the way.
        together: the most frequent of them.
        crowded: files with so many labels that they are left out of the pairs.
        media_types: media type to files, the most frequent ones; empty for a type that is not known.
        pictures: the files that are pictures.
        instances_per_file: a histogram with steps of two.
        mean_instances: instances by files.
        growth: where it was asked for and the directory has a commit.
    """

    revision: str
    directory: str
    root: str
    commit: str | None = None
    files: int = 0
    bytes: int = 0
    instances: int = 0
    files_without_instances: int = 0
    damaged: int = 0
    complete: int = 0
    stale: int = 0
    incomplete: int = 0
    label_count: int = 0
    labels: list[LabelFigures] = field(default_factory=list)
    imbalance: Imbalance = field(default_factory=Imbalance)
    types: dict[str, int] = field(default_factory=dict)
    answers_left_out: int = 0
    label_pairs: int = 0
    rare_pairs_dropped: bool = False
    together: list[Together] = field(default_factory=list)
    crowded: int = 0
    media_types: dict[str, int] = field(default_factory=dict)
    pictures: PictureFigures = field(default_factory=lambda: PictureFigures(0, 0, 0, 0, 0))
    instances_per_file: list[Bin] = field(default_factory=list)
    mean_instances: float = 0.0
    growth: Growth | None = None


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """One label in several states; lists are in their order.

    Attributes:
        key: of the label.
        name: what people see.
        shares: of the instances of each state.
        differences: each share less that of the first state.
        spread: the largest share less the smallest.
        missing_in: the states without an instance of it.
    """

    key: str
    name: str
    shares: list[float]
    differences: list[float]
    spread: float
    missing_in: list[str]


@dataclass(frozen=True, slots=True)
class Distance:
    """How far the labels of two states are apart.

    Attributes:
        before: the one state.
        after: the other.
        total_variation: half the sum of what the shares differ by, 0 to 1; None where one has no instances.
    """

    before: str
    after: str
    total_variation: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several states side by side.

    Attributes:
        labels: those with the largest spread first.
        distances: of every two states.
    """

    labels: list[LabelComparison]
    distances: list[Distance]


@dataclass(slots=True)
class Stats:
    """What the states hold.

    Attributes:
        states: in the order in which they were asked for.
        comparison: where there are several.
        where: the query whose files were counted; empty for all.
        schema_version: of this record.
    """

    states: list[StateStats]
    comparison: Comparison | None = None
    where: str = ""
    schema_version: int = SCHEMA_VERSION
