"""WebDataset: tar archives in which neighbouring members with one key make a sample.

The key is the member's path up to the first dot of its base name, the rest says what the member is: `n01/7.jpg` and
`n01/7.json` are one sample, and `img.v2.jpg` has the key `img`. Archives are read as streams and never extracted;
members that are not regular files are passed over, pickles are not read.

We write `.json` with all that tdvc knows of the file, the picture, and for a picture whose one instance is a tag its
class number as `.cls`, in shards of 256 MiB, `train-00000.tar`. Of other people's samples we understand `.cls`, and
JSON with labels and objects as `_hf` knows them; what else the JSON and text members say becomes properties under
`webdataset`. Without its bytes at hand, a picture is looked for beside the archive.

Source: webdataset/webdataset, `tariterators.py`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, groupby, islice
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError
from tdvc.formats import _hf, _tar, _whole
from tdvc.formats._carry import split_in
from tdvc.formats._folder import PICTURE_SUFFIXES, SPLIT_NAMES, ignore, is_file, is_picture, listing, shortened
from tdvc.formats._json import parse_strictly
from tdvc.formats._lookup import find_picture, split_of
from tdvc.formats._shards import MAX_PICTURE_BYTES, SHARD_BYTES, is_inside, picture_bytes, shards
from tdvc.formats._tables import typed
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions, WrittenFile
from tdvc.model import numbers
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable

NAME = "webdataset"
TITLE = "WebDataset tar archives"
LOSES: tuple[str, ...] = ("class lists",)
TYPES = frozenset(SPATIAL_TYPES)
KEEPS = frozenset(FIELDS)

_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_KEY = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)", re.DOTALL)
_ANNOTATION = frozenset(("cls", "json"))
_TEXT = frozenset(("caption", "cls", "text", "txt"))
_SNIFFED_MEMBERS = 8
_SNIFFED_BYTES = 64 << 20


def detect(source: Path) -> bool:
    """Whether an archive begins with samples that have annotation; of a folder, its first archive."""
    if not source.is_dir():
        return source.name.lower().endswith(_SUFFIXES) and is_file(source) and _begins_with_samples(source)
    try:
        archives = _archives(source)
    except FormatError:
        return False
    return bool(archives) and _begins_with_samples(source / archives[0])


def _archives(folder: Path) -> list[str]:
    return [name for name in listing(folder, "", ignore)[0] if name.lower().endswith(_SUFFIXES)]


def _begins_with_samples(path: Path) -> bool:
    found: list[tuple[str, str]] = []
    with suppress(OSError, ValueError), _tar.opened(path) as file:  # who reads it all will say what is damaged
        for member in islice(_tar.members(file, _SNIFFED_BYTES), _SNIFFED_MEMBERS):
            key, suffix = _split_name(member.name)
            if suffix == "json" and b'"instances"' in member.content:
                return True
            found.append((key, suffix))
    keys = [key for key, suffix in found if suffix in _ANNOTATION]
    return any(key in keys and suffix not in _ANNOTATION for key, suffix in found if key)


def _split_name(name: str) -> tuple[str, str]:
    """A member's key and lower-case suffix; both empty where it belongs to no sample."""
    found = _KEY.fullmatch(name.removeprefix("./"))
    return (found[1], found[2].lower()) if found else ("", "")


@dataclass(slots=True)
class _Source:
    """What is read together.

    Attributes:
        root: the folder that no name may lead out of.
        taken: paths that are yielded.
        unused: by archive and suffix, members that nothing was made of.
    """

    root: Path
    report: Report
    taken: set[str] = field(default_factory=set)
    unused: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def leave(self, archive: str, suffix: str, name: str) -> None:
        """Note a member that is passed over."""
        self.unused.setdefault((archive, suffix), []).append(name)

    def report_unused(self) -> None:
        """One warning for each kind of member that was passed over, in each archive."""
        for (archive, suffix), names in self.unused.items():
            what = f".{suffix}" if suffix else "without a key or not regular files"
            message = f"{len(names):,} members {what} are not read; the first is {shortened(names[0])}."
            self.report(Problem("skipped-other", printable(archive), message, severity="warning"))


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the samples in the order of the archives.

    Raises:
        FormatError: bad-format-file, where there is no archive, or the first can't be read from its start.
    """
    folder = source if source.is_dir() else source.parent
    archives = _archives(source) if source.is_dir() else [source.name]
    if not archives:
        raise FormatError("bad-format-file", f"{printable(str(source))} holds no tar archive.", source=str(source))
    whole = _Source(options.images or folder, report)
    for archive in archives:
        yield from _records(whole, archive, folder / archive)
    whole.report_unused()


def _records(whole: _Source, archive: str, path: Path) -> Iterator[FileRecord]:
    """The samples of one archive, as far as it can be read."""
    split = split_of(archive.split(".")[0], SPLIT_NAMES)
    begun = done = 0
    try:
        with _tar.opened(path) as file:
            for key, group in groupby(_regular(whole, archive, file), lambda item: item[0]):
                begun += 1
                sample = _Sample(whole, archive, split, key, list(_bounded((item[1:] for item in group), key)))
                record = sample.record()
                done += 1
                if record is not None:
                    whole.taken.add(record.path)
                    yield record
    except (OSError, ValueError) as error:
        reason = f"could not be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        if not done:
            message = f"The archive {printable(archive)} {reason}."
            raise FormatError("bad-format-file", message, source=archive) from error
        message = f"After {done:,} samples the archive {reason}; what follows can't be counted."
        whole.report(Problem("record-unreadable", printable(archive), message, dropped_files=begun - done))


def _bounded(members: Iterable[tuple[str, bytes]], key: str) -> Iterator[tuple[str, bytes]]:
    """The members of a sample. Raises ValueError, the end of a sentence, where they are too much to hold at once."""
    held_bytes = 0
    for suffix, content in members:
        held_bytes += len(content)
        if held_bytes > MAX_PICTURE_BYTES:
            raise ValueError(f"has a sample {shortened(key)} of more than {MAX_PICTURE_BYTES >> 20} MiB")
        yield suffix, content


def _regular(whole: _Source, archive: str, file: Any) -> Iterator[tuple[str, str, bytes]]:
    """Key, suffix and bytes of the members that belong to samples."""
    for member in _tar.members(file):
        key, suffix = _split_name(member.name)
        if member.is_file and key:
            yield key, suffix, member.content
        elif not member.name.endswith("/"):
            whole.leave(archive, "", member.name)


@dataclass(slots=True)
class _Sample:
    """One sample: its members in order, by suffix."""

    whole: _Source
    archive: str
    split: str
    key: str
    members: list[tuple[str, bytes]]

    @property
    def place(self) -> str:
        """The archive and the sample."""
        return printable(f"{self.archive}: {self.key}")

    def record(self) -> FileRecord | None:
        """The file of the sample; None, reported, where it can't be taken."""
        try:
            fields = self._fields()
        except ValueError as error:
            self._refuse("record-unreadable", f"The sample {error}.", {})
            return None
        picture = self._picture(_whole.is_whole(fields))
        suffix, content = picture or ("", None)
        path = str(fields["path"]) if _whole.is_whole(fields) else f"{self.key}.{suffix}" if suffix else self.key
        split = split_in(fields) or self.split
        where = self._where(path, split, content)
        if isinstance(where, tuple):
            self._refuse(where[0], f"The path {shortened(path)} {where[1]}.", fields)
            return None
        if _whole.is_whole(fields):
            return _whole.record_from(fields, NAME, self.place, self.whole.report, split=split, **where)
        row = _hf.Row(fields, NAME, where["path"], self.place)
        return _hf.record_of(row, self.whole.report, split=split, source=where.get("source"), content=content)

    def _where(self, path: str, split: str, content: bytes | None) -> dict[str, Any] | tuple[str, str]:
        """Path, and source or content; a problem code and the end of a sentence where the path can't be taken."""
        if problem := path_problem(path):
            return "unsafe-path", problem
        where: dict[str, Any] = {"path": path, "content": content}
        has_folder = bool(split) and "/" not in split and path_problem(split) is None
        if content is None:
            found = find_picture(self.whole.root, path, (f"{split}/", "") if has_folder else ("",))
            if found.refusal:
                return found.refusal
            where = {"path": found.path, "source": found.source}
        elif path in self.whole.taken and has_folder:
            where["path"] = f"{split}/{path}"  # two splits may have a picture of one name
        return where if where["path"] not in self.whole.taken else ("duplicate-path", "belongs to an earlier sample")

    def _fields(self) -> dict[str, Any]:
        """What the members say. Raises ValueError, with the end of a sentence."""
        suffixes = [suffix for suffix, _ in self.members]
        if twice := next((suffix for suffix in suffixes if suffixes.count(suffix) > 1), None):
            raise ValueError(f"has two members .{printable(twice[:20])}")
        members = dict(self.members)
        fields: dict[str, Any] = {}
        if "json" in members:
            said = parse_strictly(members["json"])
            fields = said if isinstance(said, dict) else {"json": said}
        if _whole.is_whole(fields):
            return fields
        for suffix in sorted(_TEXT & members.keys()):
            text = members[suffix].decode("utf-8").strip()
            if suffix != "cls":
                fields.setdefault(suffix, text)
            elif text:
                fields.setdefault("label", typed(text))
        return fields

    def _picture(self, is_ours: bool) -> tuple[str, bytes] | None:
        """The sample's picture; what else has no place in a file is noted, and counted where it is a picture."""
        others = [(suffix, content) for suffix, content in self.members if suffix not in _ANNOTATION]
        pictures = [item for item in others if is_ours or is_picture(f".{item[0]}") or is_picture(f"x.{item[0]}")]
        plain = [item for item in pictures if f".{item[0]}" in PICTURE_SUFFIXES]
        chosen = next(iter(plain or pictures), None)
        for suffix, _ in others:
            if (chosen and suffix == chosen[0]) or suffix in _TEXT:
                continue
            name = f"{self.key}.{suffix}"
            if is_picture(name):
                message = f"The sample has another picture, {shortened(name)}; a file has one."
                self.whole.report(Problem("skipped-other", self.place, message, dropped_files=1))
            else:
                self.whole.leave(self.archive, suffix, name)
        return chosen

    def _refuse(self, code: str, message: str, fields: dict[str, Any]) -> None:
        lost: list[Problem] = []
        if _whole.is_whole(fields):
            instances = len(fields["instances"])
        else:
            found = _hf.instances_of(_hf.Row(fields, NAME, "", ""), lost.append)
            instances = len(found) + sum(problem.dropped_instances for problem in lost)
        self.whole.report(Problem(code, self.place, message, dropped_files=1, dropped_instances=instances))


def place(record: FileRecord) -> str:
    """In the archive where its bytes are at hand, else below its split."""
    if is_inside(record):
        return ""
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """Shards, one after the other; nothing is lost. Pictures on disk are read when their shard is."""
    return write_shards(records, labels, report, SHARD_BYTES)


def write_shards(
    records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report, shard_bytes: int
) -> Iterator[WrittenFile]:
    """As `write`."""
    del report
    classes = {label.key: position for position, label in enumerate(labels)}
    keys: set[str] = set()
    for shard in shards(records, shard_bytes):
        named = ((_free_key(record, record.split, keys), record) for record in shard.records)
        yield WrittenFile(f"{shard.stem}.tar", _tar.packed(_members(named, classes)))


def _free_key(record: FileRecord, split: str, keys: set[str]) -> str:
    """The path without suffix and without dots in its name, made unique within the split."""
    folder, name = posixpath.split(posixpath.splitext(record.path)[0])
    stem = posixpath.join(folder, name.replace(".", "_"))
    for number in count(1):
        key = stem if number == 1 else f"{stem}-{number}"
        if f"{split}/{key}" not in keys:
            keys.add(f"{split}/{key}")
            return key
    raise AssertionError("there is always a free key")


def _members(named: Iterable[tuple[str, FileRecord]], classes: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    for key, record in named:
        yield f"{key}.json", numbers.spell(_whole.fields_of_file(record))
        tags = [instance.label for instance in record.instances if instance.type == "tag"]
        if len(record.instances) == 1 and tags and tags[0] in classes:
            yield f"{key}.cls", str(classes[tags[0]]).encode()
        picture = picture_bytes(record)
        if picture is not None:
            yield f"{key}.{_suffix(record.path)}", picture


def _suffix(path: str) -> str:
    suffix = posixpath.splitext(path)[1][1:].lower()
    return suffix if suffix and suffix not in _ANNOTATION | _TEXT else "bin"
