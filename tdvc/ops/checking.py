"""`check schema` and `check annotations`: files that lie in git, checked without a repository.

Annotation files are read by the readers that an import uses, and get the rules of validation that need nothing else: no
picture, no other file. Labels may be named by their key, their name or an alias, as when they come in.

Where a tool writes one file for every picture, each file is checked for itself, because that is how a commit of git
changes them. It is read from a folder of its own, in which nothing else can be taken for a part of it; a YOLO file,
which has neither names of classes nor pixels, gets the schema's indexes and a picture of `YOLO_SIDE` pixels there.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
from PIL import Image

from tdvc.columns.build import build
from tdvc.columns.store import ROWS_TOGETHER
from tdvc.errors import FormatError, NotFound, TdvcError
from tdvc.formats import detect_format, format_named
from tdvc.formats.base import FileRecord, Format, Reconciliation
from tdvc.ids import NO_ID, FileId, Kind
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import derived_instance_id, encode_set
from tdvc.model.schema import Schema
from tdvc.names import printable
from tdvc.objects.store import ObjectWriter
from tdvc.ops.pictures import nothing_known
from tdvc.ops.schema import schema_in
from tdvc.ops.validating_files import Tracks
from tdvc.ops.validating_instances import Answers, identical, labels, outside, shapes
from tdvc.ops.validating_page import Check, Hits, Page
from tdvc.repo.config import Validation
from tdvc.repo.directory import memory_objects
from tdvc.repo.entry import FileState
from tdvc.tables.page import Row

MAX_FINDINGS = 1000
MAX_FILE_BYTES = 256 << 20
YOLO_SIDE = 1000
"""How many pixels wide and high the picture of a YOLO file is taken to be."""

_BY_PICTURE = ("labelme", "pascal-voc", "yolo")
"""The formats that have one file for every picture, which says all about it."""

_NAME = "annotation"
_CLASS_LISTS = ("classes.txt",)


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One thing wrong in a file.

    Attributes:
        file: the file, as it was named.
        record: where in it: a line, a place in a schema, or a picture and `#` with the position of the instance from 0;
            empty where it is about the whole file.
        code: a rule, a problem code or an error code.
        severity: `error` or `warning`.
        message: what is wrong.
    """

    file: str
    record: str
    code: str
    severity: str
    message: str


@dataclass(slots=True)
class CheckResult:
    """What was checked and found; everything is counted, the first `MAX_FINDINGS` are listed."""

    files: int = 0
    instances: int = 0
    errors: int = 0
    warnings: int = 0
    findings: list[FileFinding] = field(default_factory=list)

    def add(self, finding: FileFinding) -> None:
        """Take a finding into account."""
        self.errors += finding.severity == "error"
        self.warnings += finding.severity == "warning"
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)


def check_schema(files: Sequence[Path]) -> CheckResult:
    """Whether files are schemas that make sense. What is wrong, or can't be read, is in the result."""
    result = CheckResult(files=len(files))
    for path in files:
        try:
            schema_in(path)
        except TdvcError as error:
            line = error.fields.get("line")
            where = str(line) if line else error.fields.get("place") or ""
            message = error.message.removeprefix(f"{path.name}, line {line}: ").removeprefix(f"{path.name}: ")
            for said in error.fields.get("problems") or [message]:
                result.add(FileFinding(str(path), where, error.code, "error", said))
                where = ""  # it is that of the first
    return result


def check_annotations(
    schema_file: Path,
    files: Sequence[Path],
    *,
    format: str | None = None,  # noqa: A002 (the field's word, and the option's)
) -> CheckResult:
    """Whether annotation files fit a schema and the rules that need nothing but them.

    Args:
        schema_file: the schema, TOML or JSON.
        files: annotation files, or folders that are one source each.
        format: their format; found out for each where None.

    Returns:
        What was found; also what could not be read.

    Raises:
        NotFound: source-not-found, for the schema.
        SchemaError: bad-schema.
        FormatError: format-unknown, where there is none of that name.
    """
    chosen = format_named(format) if format else None
    checker = _Checker(schema_in(schema_file))
    for path in files:
        checker.take(path, chosen)
    return checker.result


class _Checker:
    """Checks one file after the other."""

    def __init__(self, schema: Schema) -> None:
        self.result = CheckResult()
        self._schema = schema
        self._synonyms = schema.synonyms()
        self._settings = Validation()

    def take(self, path: Path, chosen: Format | None) -> None:
        """Check a file, or a folder as one source."""
        if path.name in _CLASS_LISTS:
            return
        self.result.files += 1
        try:
            found = chosen or _format_of(path)
            with _source(path, found, self._schema) as source:
                self._read(path, found, source)
        except TdvcError as error:
            self.result.add(FileFinding(str(path), "", error.code, "error", error.message))
        except OSError as error:
            self.result.add(FileFinding(str(path), "", "unreadable", "error", f"It can't be read: {error.strerror}."))

    def _read(self, path: Path, chosen: Format, source: Path) -> None:
        total = Reconciliation()
        checks: list[Check] = [shapes, outside, labels, identical, Answers(self._schema), Tracks()]
        records = total.read(chosen, source)
        while batch := list(islice(records, ROWS_TOGETHER)):
            page = self._page(batch)
            places = _Places(page, batch, chosen.NAME, total, shows=source == path)
            found = [
                (places.of(row), row, hits) for check in checks for hits in check(page) for row in hits.rows.tolist()
            ]
            for place, row, hits in sorted(found, key=lambda one: one[0]):
                self._take(path, place, page, row, hits)
        for problem in total.problems:
            if _is_about_annotation(problem):
                record = _place_in(problem, f"{_NAME}{path.suffix}" if source != path else path.name)
                self.result.add(FileFinding(str(path), record, problem.code, "error", problem.message))

    def _page(self, batch: Sequence[FileRecord]) -> Page:
        """Records as rules see them."""
        objects = memory_objects()
        with objects.writer() as writer:
            rows = [self._row(writer, record) for record in batch]
            writer.publish()
        self.result.instances += sum(len(record.instances) for record in batch)
        return Page(build(objects, rows), self._schema, self._settings, *nothing_known(len(rows)))

    def _row(self, writer: ObjectWriter, record: FileRecord) -> Row:
        known = [
            msgspec.structs.replace(one, label=self._synonyms.get(one.label, one.label)) for one in record.instances
        ]
        identity = writer.put(Kind.INSTANCES, encode_set(known)) if known else NO_ID
        said = record.properties | ({"size": list(record.size)} if record.size else {})
        state = FileState(FileId(bytes(16)), NO_ID, 0, identity, len(known), properties=numbers.spell(said))
        return (record.path.encode(errors="replace"), *state)

    def _take(self, path: Path, place: Place, page: Page, row: int, hits: Hits) -> None:
        severity = self._settings.severity(hits.rule)
        if severity in ("error", "warning"):
            label, value = page.text("label", row), hits.value(row)
            about = f"{label}: {value}" if value != label else value
            message = f"{about}; expected {hits.expected(row)}"
            self.result.add(FileFinding(str(path), place.title, hits.rule, severity, message))


class Place(NamedTuple):
    """Where in its source an instance is, in the order in which findings are listed."""

    file: int
    position: int
    picture: str

    @property
    def title(self) -> str:
        """The picture, where the source has more than one, and the position of the instance."""
        return f"{self.picture}#{self.position}"


class _Places:
    """Where in their source the instances of a page are.

    Rules see instances in the order of their ids. Where a reader left some out, the positions of the others in the
    source are known by the ids that it derived from them.
    """

    def __init__(
        self, page: Page, batch: Sequence[FileRecord], name: str, total: Reconciliation, *, shows: bool
    ) -> None:
        self._page = page
        self._batch = batch
        self._format = name
        self._left_out = total.left_out[1]
        self._shows = shows
        self._known: dict[int, dict[str, int]] = {}

    def of(self, row: int) -> Place:
        """The place of the instance in a row of the page."""
        file = int(self._page.file[row])
        if file not in self._known:
            self._known[file] = self._positions(self._batch[file])
        position = self._known[file].get(self._page.instance_id(row), 0)
        return Place(file, position, self._batch[file].path if self._shows else "")

    def _positions(self, record: FileRecord) -> dict[str, int]:
        read = {one.instance_id: at for at, one in enumerate(record.instances)}
        if not self._left_out:
            return read
        every = range(len(read) + self._left_out)
        derived = {derived_instance_id(self._format, record.path, str(at)): at for at in every}
        return read | {identity: at for identity, at in derived.items() if identity in read}


def _format_of(path: Path) -> Format:
    """The format of a file; rows of numbers by themselves are told by their suffix alone."""
    try:
        return detect_format(path)
    except FormatError:
        if path.suffix.lower() == ".txt" and path.is_file():
            return format_named("yolo")
        raise


@contextmanager
def _source(path: Path, chosen: Format, schema: Schema) -> Iterator[Path]:
    """What the reader is to read: the path itself, or a folder with the file alone."""
    if path.is_dir() or chosen.NAME not in _BY_PICTURE or path.suffix.lower() in (".yaml", ".yml"):
        yield path
        return
    if not path.is_file():
        raise NotFound("source-not-found", f"{str(path)!r} is not a file.", path=str(path))
    if path.stat().st_size > MAX_FILE_BYTES:
        raise FormatError("bad-format-file", f"{str(path)!r} is larger than {MAX_FILE_BYTES >> 20} MiB.")
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        place = root / "labels" if chosen.NAME == "yolo" else root / "1" / "2" / "3"  # names may lead some folders up
        place.mkdir(parents=True)
        shutil.copyfile(path, place / f"{_NAME}{path.suffix}")
        if chosen.NAME == "yolo":
            _complete_yolo(root, schema)
        yield root


def _complete_yolo(root: Path, schema: Schema) -> None:
    """What rows of numbers lack: names for the classes, and a picture."""
    names = [f"  {label.index}: {json.dumps(label.key, ensure_ascii=False)}" for label in schema.in_order()]
    text = "\n".join(["train: images", "names:" if names else "names: {}", *names, ""])
    (root / "data.yaml").write_text(text, encoding="utf-8")
    (root / "images").mkdir()
    Image.new("1", (YOLO_SIDE, YOLO_SIDE)).save(root / "images" / f"{_NAME}.png")


def _is_about_annotation(problem: Problem) -> bool:
    """Whether a reader's problem is one of the annotation, or of instances that could not be checked for it."""
    return problem.severity == "error" and (problem.code != "picture-missing" or problem.dropped_instances > 0)


def _place_in(problem: Problem, name: str) -> str:
    """Where in its file a reader's problem is."""
    before, found, after = problem.place.rpartition(printable(name))
    place = after.rpartition(":")[2] if found else before + after
    return place if place or not problem.instance else f"#{problem.instance}"
