"""Bad input ends in a clean refusal, or in a problem that names the place while the rest arrives.

Every case of `tests/bad_input` is imported twice: by the verb and by the command line. Whatever is wrong with a source:
no traceback, no byte of it changed, nothing written beside the repository, no connection opened, the sum comes out,
and after a refusal the repository is where it was.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tdvc.cli.main import main
from tdvc.errors import CODES, TdvcError
from tdvc.formats import yolo
from tdvc.model.problems import PROBLEMS, Problem
from tdvc.ops.exporting import export
from tdvc.ops.importing import ImportOptions, import_
from tdvc.repo.repository import Repository
from tests.bad_input import Case, sources
from tests.bad_input.suite import CASES

SECONDS = 60
MEMORY_BYTES = 500 << 20


class TooLong(BaseException):
    """An import does not end; nothing that it calls may take this for an error of its own."""


class Ended(NamedTuple):
    """How an import ended: with an error code, or with what is in the directory then."""

    refused: str
    message: str
    sentence: str
    problems: list[Problem]
    files: dict[str, list[str]]


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No case waits for ever, opens a connection or leaves logs behind."""

    def refuse(*_given: Any) -> None:
        raise AssertionError("an import opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("TDVC_DURABILITY", "none")
    monkeypatch.setenv("TDVC_AUTHOR", "ann")
    monkeypatch.setenv("COLUMNS", "200")

    def too_long(*_given: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_source(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.png").write_bytes(b"\x89PNG\r\n\x1a\nsecret IEND")
    root = tmp_path / "source"
    root.mkdir()
    case.build(root)
    before = tree(tmp_path)
    repository = Repository.init(tmp_path / "repository", author="ann", durable=False)
    heads = [repository.head()]
    ended = in_little_memory(case, root, repository) if case.bomb else by_verb(case, root, repository)
    heads.append(repository.head())
    check(case, ended, heads)
    if not case.bomb:
        other = Repository.init(tmp_path / "other", author="ann", durable=False)
        heads = [other.head()]
        by_command(case, root, tmp_path / "other", ended, capsys)
        heads.append(Repository.open(tmp_path / "other", author="ann").head())
        assert (heads[0] == heads[1]) == bool(case.refused or not ended.files)
    assert {
        path: seen for path, seen in tree(tmp_path).items() if not path.startswith(("repository", "other"))
    } == before

    if ended.files:  # what arrived does no harm later
        went = export(repository, ["Main"], tmp_path / "exported", format=case.format, everything=True)
        assert "unaccounted" not in went.sentence


def test_an_import_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E94: killed after some batches."""
    sources.yolo(tmp_path / "source", "0 0.5 0.5 0.25 0.25\n")
    repository = Repository.init(tmp_path / "repository", author="ann", durable=False)
    head = repository.head()

    def breaks_off(*given: Any) -> Iterator[Any]:
        yield from list(yolo_read(*given))[:2]
        raise KeyboardInterrupt

    yolo_read = yolo.read
    monkeypatch.setattr(yolo, "read", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        import_(repository, tmp_path / "source", format="yolo")
    assert Repository.open(tmp_path / "repository", author="ann").head() == head


def test_a_bad_source_twice_changes_nothing(tmp_path: Path) -> None:
    """E94: what is left out the first time is left out the second time, and the rest is known again."""
    sources.yolo(tmp_path / "source", "0 0.5 0.5 0.25 0.25\n0 nan 0.5 0.25 0.25\n")
    repository = Repository.init(tmp_path / "repository", author="ann", durable=False)
    first = import_(repository, tmp_path / "source", format="yolo")
    again = import_(repository, tmp_path / "source", format="yolo")
    assert [problem.place for problem in again.problems] == ["labels/bad.txt:2"]
    assert (again.operation, again.sentence) == (None, first.sentence)


def check(case: Case, ended: Ended, heads: list[Any]) -> None:
    assert ended.refused == case.refused, ended
    if case.refused:
        assert heads[0] == heads[1]
        assert ended.message.endswith(".")
        assert ended.message.isprintable()
        assert case.names in ended.message
        return
    assert {path: len(labels) for path, labels in ended.files.items()} == dict(case.arrives), ended
    assert "unaccounted" not in ended.sentence
    errors = {(problem.code, problem.place) for problem in ended.problems if problem.severity == "error"}
    for code, place in case.listed:
        assert any(found == code and place in where for found, where in errors), ended.problems
    assert {code for code, _ in errors} == {code for code, _ in case.listed}, ended.problems
    for problem in ended.problems:
        assert problem.code in PROBLEMS
        assert problem.place.isprintable()
        assert problem.message.endswith(".")
        assert len(problem.message) < 1000
    if case.labels:
        assert sorted({label for labels in ended.files.values() for label in labels}) == sorted(case.labels)


def by_verb(case: Case, root: Path, repository: Repository) -> Ended:
    options = ImportOptions(**case.options)
    try:
        result = import_(repository, root / case.source, format=case.format, options=options)
    except TdvcError as error:
        return Ended(error.code, error.message, "", [], {})
    files = {file.path: [instance.label for instance in file.instances] for file in repository["Main"]}
    return Ended("", "", result.sentence, result.problems, files)


def by_command(case: Case, root: Path, repository: Path, ended: Ended, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line says the same, in words and as JSON."""
    arguments = ["-C", str(repository), "import", str(root / case.source), "--format", case.format]
    arguments += [word for name, value in case.options.items() for word in (f"--{name}", str(value))]
    for how in (["--dry-run"], ["--json"]):
        capsys.readouterr()
        code = main([*arguments, *how])
        said = capsys.readouterr()
        text = said.out + said.err
        assert "Traceback" not in text
        assert "please report" not in text
        if how == ["--dry-run"]:
            assert text.replace("\n", "").isprintable()
    if case.refused:
        error = json.loads(said.err)["error"]
        assert (error["code"], code) == (case.refused, 1)
        assert error["code"] in CODES
        return
    found = json.loads(said.out)
    assert found["sentence"] == ended.sentence
    assert len(found["problems"]) == len(ended.problems)
    assert code == (3 if any(problem.severity == "error" for problem in ended.problems) else 0)


def in_little_memory(case: Case, root: Path, repository: Repository) -> Ended:
    """The import by the verb in a process of its own, which can have little more memory than it starts with."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_in_child, args=(case, root, repository, theirs))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        pytest.fail(f"the import ended with signal {child.exitcode}")
    finally:
        child.join()


def _in_child(case: Case, root: Path, repository: Repository, pipe: Any) -> None:
    import pyarrow.parquet  # noqa: F401 (its address space is not the case's)
    from PIL import Image  # noqa: F401

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES,) * 2)
    try:
        pipe.send(by_verb(case, root, repository))
    except BaseException as error:
        pipe.send(Ended("internal-error", repr(error), "", [], {}))


def tree(folder: Path) -> dict[str, tuple[Any, ...]]:
    """All that lies below a folder: kinds, modes, times, and bytes or where a link leads."""
    found: dict[str, tuple[Any, ...]] = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            look = path.lstat()
            seen: Any = None
            if stat.S_ISLNK(look.st_mode):
                seen = os.readlink(path)
            elif stat.S_ISREG(look.st_mode) and look.st_size < 1 << 20:
                seen = path.read_bytes()
            time = None if stat.S_ISDIR(look.st_mode) else look.st_mtime_ns
            found[os.path.relpath(path, folder)] = (look.st_mode, time, look.st_size if time else 0, seen)
    return found
