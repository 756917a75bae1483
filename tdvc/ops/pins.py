"""Pins: a state of a repository as a small text file that git keeps beside the code.

    version = 1
    repository = "../data"
    directory = "Pets"
    snapshot = "pets-1"
    commit = "282c…"
    root = "9f3a…"
    schema = "77b0…"

    [counts]
    files = 24
    …

The commit alone says which state it is; the rest says what a reader wants to know, and is held against the repository
whenever the pin is used: a snapshot that is another commit, a commit with another root or other counts is an error, so
a pin never stands for anything else than on the day it was written.

`repository` is a path relative to the pin's own folder, which begins with a dot; or, where somebody asked for it, an
absolute path or a plain name. A name says nothing of where the repository is: it is then the one that
`-C`, `TDVC_DIR` or the pin's folder lead to. A pin comes with other people's code, so it is bounded, every key must be
known, and nothing is done with it before all of it is checked.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tdvc.errors import Corruption, FormatError, NotFound, Refused, TdvcError, Usage
from tdvc.names import check_name, printable
from tdvc.repo.commit import id_from, read_snapshot
from tdvc.repo.directory import Counts, Directory
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit
from tdvc.storage.folder import FolderWriter

PIN_FILE = "data.tdvc.toml"
"""What a pin is called where nobody says otherwise."""

MAX_BYTES = 64 << 10
_MAX_PATH = 4096
_VERSION = 1
_ID = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("repository", "directory", "commit", "root", "schema")
_KEYS = {*_TEXTS, "version", "snapshot", "counts"}
_MAX_COUNT = 2**63 - 1

_HEAD = """# A state of training data, pinned by tdvc; git keeps it beside the code that was trained on it.
#   tdvc pin --check FILE            does the repository still hold it?
#   tdvc checkout --pin FILE FOLDER  write it into a folder
#   tdvc diff --pin FILE             what has changed since
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned state; ids in hexadecimal.

    Attributes:
        repository: where it is: a path that begins with a dot or is absolute, or a name.
        directory: the name of the directory.
        snapshot: the name of the snapshot, where one was pinned.
        commit: the commit.
        root: id of the state.
        schema: id of the schema that belongs to it.
        counts: what it holds.
    """

    repository: str
    directory: str
    snapshot: str | None
    commit: str
    root: str
    schema: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class CheckedPin:
    """Whether a repository holds what a pin says.

    Attributes:
        file: the pin's file, as it was named.
        pin: what it says; None where it can't be read.
        code: the code of the error; empty where all is well.
        message: what is wrong, in a sentence.
    """

    file: str
    pin: Pin | None
    code: str = ""
    message: str = ""


def pin(repository: Repository, revision: str | None = None, *, start: Path | None = None, where: str = "") -> Pin:
    """The pin of a commit or snapshot.

    Args:
        repository: the repository.
        revision: a snapshot, a commit, or a directory without staged edits; the current one for None.
        start: the folder that the pin is to lie in, from which its path is relative; the current one for None.
        where: `absolute` for the whole path of the repository, a name for that name; empty for a relative path.

    Raises:
        NotFound: unknown-revision.
        Refused: staged-edits.
        Usage: bad-name; bad-usage, where the path can't be said.
    """
    view = repository.view
    name = view.current if revision is None else revision
    state = repository[name]
    if state.commit is None:
        last = f", or pin its last commit: {name}@" if view.directories[name].commit else ""
        raise Refused(
            "staged-edits",
            f"{name} has edits that are not committed; a pin is of a commit.",
            hint=f"tdvc commit -d {name} -m MESSAGE{last}",
            directory=name,
        )
    return Pin(
        repository=_place_said(repository, start or Path(), where),
        directory=state.name,
        snapshot=name if name in view.snapshots else None,
        commit=state.commit.hex(),
        root=state.root.hex(),
        schema=state.schema_id.hex(),
        counts=state.counts,
    )


def _place_said(repository: Repository, start: Path, where: str) -> str:
    """How a pin in `start` names its repository."""
    if where and where != "absolute":
        return check_name(where, "repository")
    if repository.path is None:
        return "memory"
    place = repository.path.resolve()
    try:
        relative = place.as_posix() if where else Path(os.path.relpath(place, start.resolve())).as_posix()
        said = relative if where or relative.startswith(".") else f"./{relative}"
        _refuse_place(said)
    except ValueError as error:  # another drive, or a path that does not print
        hint = "Give it a name: --name NAME"
        raise Usage("bad-usage", f"The path of {str(place)!r} can't be put into a pin.", hint=hint) from error
    return said


def pin_text(pinned: Pin) -> str:
    """The file of a pin: always the same text for the same pin."""
    fields = {"version": _VERSION, **{name: getattr(pinned, name) for name in ("repository", "directory", "snapshot")}}
    fields |= {name: getattr(pinned, name) for name in ("commit", "root", "schema")}
    # what a pin holds is spelled in TOML as in JSON
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items() if value is not None]
    counts = [f"{name} = {count}" for name, count in pinned.counts._asdict().items()]
    return _HEAD + "\n" + "\n".join([*lines, "", "[counts]", *counts]) + "\n"


def write_pin(pinned: Pin, place: Path) -> None:
    """Write the file of a pin, whole or not at all, in the place of another pin if there is one.

    Raises:
        Refused: file-exists, where something else is there.
        NotFound: source-not-found, where the folder is not there.
    """
    folder = place.absolute().parent
    if not folder.is_dir():
        raise NotFound("source-not-found", f"{str(folder)!r} is not a folder.", path=str(folder))
    if os.path.lexists(place):
        try:
            read_pin(place)
        except TdvcError as error:
            message = f"{str(place)!r} is there already and is not a pin."
            raise Refused("file-exists", message, hint="Choose another name.", path=str(place)) from error
    writer = FolderWriter(str(folder))
    try:
        writer.write(place.name, [pin_text(pinned).encode()])
    finally:
        writer.close()


# reading


def read_pin(path: Path) -> Pin:
    """The pin in a file.

    Raises:
        NotFound: source-not-found.
        FormatError: bad-pin.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _bad(path, "is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFound("source-not-found", f"{str(path)!r} can't be read: {error.strerror}.", path=str(path)) from error
    if len(content) > MAX_BYTES:
        raise _bad(path, f"is larger than {MAX_BYTES >> 10} KiB")
    try:
        given = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # TOML's and Unicode's errors are ValueErrors
        raise _bad(path, f"is not TOML: {str(error)[:200]}") from error
    try:
        return _pin_from(given)
    except ValueError as error:
        raise _bad(path, str(error)) from error


def _bad(path: Path, problem: str) -> FormatError:
    message = f"{printable(str(path))} {printable(problem)}."
    return FormatError("bad-pin", message, hint="tdvc pin REV -o FILE writes one.", path=str(path))


def _pin_from(given: Mapping[str, Any]) -> Pin:
    """A pin from the values of its file. Raises ValueError with the end of a sentence."""
    if given.get("version") != _VERSION or isinstance(given["version"], bool | float):
        raise ValueError(f"has the version {str(given.get('version'))[:40]}, not {_VERSION}")
    if unknown := sorted(given.keys() - _KEYS):
        raise ValueError(f"has the key {unknown[0][:100]!r}, which is not known")
    if missing := [name for name in (*_TEXTS, "counts") if name not in given]:
        raise ValueError(f"has no {missing[0]}")
    texts = {name: given[name] for name in (*_TEXTS, "snapshot") if name in given}
    if wrong := [name for name, text in texts.items() if not isinstance(text, str)]:
        raise ValueError(f"has a {wrong[0]} that is no text")
    if wrong := [name for name in ("commit", "root", "schema") if not _ID.fullmatch(texts[name])]:
        raise ValueError(f"has a {wrong[0]} that is not 64 hexadecimal digits")
    for name in ("directory", "snapshot"):
        if name in texts:
            _refuse_name(texts[name], name)
    _refuse_place(texts["repository"])
    return Pin(**{"snapshot": None, **texts}, counts=_counts(given["counts"]))


def _refuse_name(text: str, what: str) -> None:
    try:
        check_name(text, what)
    except Usage as error:
        raise ValueError(f"has a bad {what} name") from error


def _refuse_place(text: str) -> None:
    """What names a repository: a path with `/` between its parts, or a name."""
    if not text.isprintable() or "\\" in text or len(text) > _MAX_PATH or text.startswith("//"):
        raise ValueError("has a repository that is neither a path nor a name")
    if _is_name(text):
        _refuse_name(text, "repository")


def _is_name(place: str) -> bool:
    return not place.startswith(".") and not Path(place).is_absolute()


def _counts(given: Any) -> Counts:
    if not isinstance(given, dict) or given.keys() != set(Counts._fields):
        raise ValueError(f"has counts that are not {', '.join(Counts._fields)}")
    if any(type(count) is not int or not 0 <= count <= _MAX_COUNT for count in given.values()):
        raise ValueError("has a count that is not a whole number from 0")
    return Counts(**given)


# using


def pinned_place(pinned: Pin, start: Path) -> Path:
    """Where the repository of a pin that lies in the folder `start` is looked for."""
    return start if _is_name(pinned.repository) else start / pinned.repository


def open_pin(pinned: Pin, start: Path, *, author: str = "", durable: bool = True) -> tuple[Repository, Directory]:
    """The repository of a pin and the state it stands for, checked.

    Args:
        pinned: the pin.
        start: the folder it lies in.
        author: who is at work, for what is changed by way of the repository.
        durable: whether that survives a power cut.

    Raises:
        NoRepository: no-repository.
        NotFound: unknown-revision.
        Refused: pin-mismatch.
    """
    repository = Repository.open(pinned_place(pinned, start), author=author, durable=durable)
    return repository, pinned_state(repository, pinned)


def pinned_state(repository: Repository, pinned: Pin) -> Directory:
    """The state that a pin stands for, as the commit it names; what the pin says beside that must be so.

    Raises:
        NotFound: unknown-revision, where the commit or the snapshot is not there.
        Refused: pin-mismatch.
    """
    commit = id_from(pinned.commit)
    if pinned.snapshot is not None:
        held = repository.view.snapshots.get(pinned.snapshot)
        if held is None:
            raise _gone(f"snapshot {pinned.snapshot!r}", pinned)
        if read_snapshot(repository.objects, held).commit != commit:
            raise _mismatch(f"its snapshot {pinned.snapshot!r} is another commit", pinned)
    try:
        state = at_commit(repository.objects, commit, pinned.snapshot or pinned.commit)
    except Corruption as error:
        if error.code == "object-missing":
            raise _gone(f"commit {pinned.commit[:12]}", pinned) from error
        raise
    said = {"root": state.root.hex(), "schema": state.schema_id.hex()}
    for name, value in said.items():
        if value != getattr(pinned, name):
            raise _mismatch(f"its commit {pinned.commit[:12]} has another {name}", pinned)
    if state.counts != pinned.counts:
        raise _mismatch(f"its commit {pinned.commit[:12]} has other counts", pinned)
    return state


def _gone(what: str, pinned: Pin) -> NotFound:
    message = f"The pinned {what} is not in the repository."
    return NotFound("unknown-revision", message, hint="Is it the right repository? -C PATH", commit=pinned.commit)


def _mismatch(problem: str, pinned: Pin) -> Refused:
    message = f"The repository does not hold what is pinned: {problem}."
    return Refused("pin-mismatch", message, hint="tdvc pin REV -o FILE pins anew.", commit=pinned.commit)


def check_pin(path: Path, repository: Repository | None = None) -> CheckedPin:
    """Whether the repository of a pin, or the one that is given, holds what it says. What is wrong is in the result."""
    found: Pin | None = None
    try:
        found = read_pin(path)
        if repository is None:
            open_pin(found, path.absolute().parent)
        else:
            pinned_state(repository, found)
    except TdvcError as error:
        return CheckedPin(str(path), found, error.code, error.message)
    return CheckedPin(str(path), found)
