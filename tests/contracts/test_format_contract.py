"""What every format promises. A new format adds its sample to `samples`; forgetting that fails."""

import builtins
import io
import os
from pathlib import Path

import pytest

from tdvc.errors import CODES, FormatError, NotFound
from tdvc.formats import FORMATS, Reconciliation, detect_format, format_named
from tdvc.formats.base import FIELDS, FileRecord
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.problems import PROBLEMS
from tdvc.model.records import check_instance, encode_set
from tdvc.names import path_problem
from tests.contracts import samples
from tests.contracts.samples import put


@pytest.fixture(params=sorted(FORMATS))
def name(request):
    return request.param


@pytest.fixture
def source(name, tmp_path):
    """A source with good and bad records, and a link out of it where its pictures are."""
    put(tmp_path / "outside/secret.jpg", "secret")
    pictures = samples.make(name, tmp_path / "source")
    (pictures / "link.jpg").symlink_to(tmp_path / "outside/secret.jpg")
    (pictures / "folder").symlink_to(tmp_path / "outside")
    return tmp_path / "source"


def read(format_, source):
    problems = []
    return [r for r in format_.read(source, problems.append) if isinstance(r, FileRecord)], problems


def test_the_names_are_those_of_the_module(name):
    format_ = format_named(name)
    assert name == format_.NAME
    assert format_.TITLE
    assert all(isinstance(loss, str) and not loss.endswith(".") for loss in format_.LOSES)
    assert frozenset(SPATIAL_TYPES) >= format_.TYPES
    assert frozenset(FIELDS) >= format_.KEEPS


def test_exactly_one_format_detects_a_source(name, source):
    assert [found for found in FORMATS if format_named(found).detect(source)] == [name]
    assert detect_format(source) is format_named(name)


@pytest.mark.parametrize("kind", ["empty folder", "text file", "picture", "dangling link", "pipe", "gone"])
def test_detection_says_no_to_anything_else(name, tmp_path, kind):
    path = tmp_path / "thing"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "text file":
        path.write_text("hello")
    elif kind == "picture":
        path = tmp_path / "thing.jpg"
        path.write_bytes(b"\xff\xd8\xff")
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "gone")
    elif kind == "pipe":
        path = tmp_path / "thing.xml"
        os.mkfifo(path)
    assert format_named(name).detect(path) is False


def test_reading_twice_gives_the_same(name, source):
    assert read(format_named(name), source) == read(format_named(name), source)


def test_order_does_not_depend_on_the_disk(name, source, monkeypatch):
    expected, _ = read(format_named(name), source)
    real = os.scandir

    class Backwards:
        def __init__(self, path):
            with real(path) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(os, "scandir", Backwards)
    assert read(format_named(name), source)[0] == expected


def test_records_are_fit_to_be_stored(name, source):
    records, _ = read(format_named(name), source)
    assert records
    assert any(record.instances for record in records)
    assert len({record.path for record in records}) == len(records)
    for record in records:
        assert path_problem(record.path) is None
        encode_set([check_instance(instance) for instance in record.instances])


def test_pictures_are_regular_files_inside_the_source(name, source):
    records, _ = read(format_named(name), source)
    found = [record.source for record in records if record.source is not None]
    assert found
    for picture in found:
        assert picture.is_file()
        assert not picture.is_symlink()
        assert picture.resolve().is_relative_to(source.resolve())


def test_nothing_outside_the_source_is_opened(name, source, monkeypatch):
    opened = []
    real = io.open

    def recording(file, *args, **kwargs):
        opened.append(file)
        return real(file, *args, **kwargs)

    monkeypatch.setattr(io, "open", recording)
    monkeypatch.setattr(builtins, "open", recording)
    read(format_named(name), source)
    inside = [Path(os.fsdecode(file)).resolve().is_relative_to(source.resolve()) for file in opened]
    assert all(inside)
    assert inside or name == "image-folder"


def test_the_source_is_not_changed(name, source):
    def state():
        return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in source.rglob("*")}

    before = state()
    format_named(name).detect(source)
    read(format_named(name), source)
    assert state() == before


def test_the_sum_comes_out(name, source):
    reconciliation = Reconciliation()
    for record in reconciliation.read(format_named(name), source):
        reconciliation.stored(record)
    assert reconciliation.unexplained == (0, 0)
    assert reconciliation.files_in == reconciliation.files_out + reconciliation.left_out[0]


def test_problems_have_known_codes_and_printable_places(name, source):
    _, problems = read(format_named(name), source)
    assert problems
    for problem in problems:
        assert problem.code in PROBLEMS
        assert problem.place.isprintable()
        assert not os.path.isabs(problem.place)
        assert problem.message.endswith(".")
        assert problem.severity == "error" or (problem.dropped_files, problem.dropped_instances) == (0, 0)


def test_a_folder_that_can_not_be_listed_is_reported(source, name, monkeypatch):
    folder = {"image-folder": "cat", "pascal-voc": "JPEGImages"}.get(name)
    if folder is None:
        return  # reads no folder
    real = os.scandir

    def refusing(path):
        if Path(path) == source / folder:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    _, problems = read(format_named(name), source)
    assert ("unreadable", folder, "error") in [(p.code, p.place, p.severity) for p in problems]


def test_unknown_names_list_the_known():
    with pytest.raises(FormatError) as caught:
        format_named("yolo99")
    assert caught.value.code == "format-unknown"
    assert all(name in caught.value.message for name in FORMATS)


def test_a_source_that_fits_two_formats_is_not_guessed(tmp_path):
    samples.make("pascal-voc", tmp_path)
    samples.make("tdvc-jsonl", tmp_path)
    with pytest.raises(FormatError) as caught:
        detect_format(tmp_path)
    assert caught.value.code == "format-unknown"
    assert "pascal-voc and tdvc-jsonl" in caught.value.message


def test_a_source_that_fits_none_or_is_not_there(tmp_path):
    with pytest.raises(FormatError) as caught:
        detect_format(tmp_path)
    assert caught.value.code == "format-unknown"
    with pytest.raises(NotFound) as missing:
        detect_format(tmp_path / "gone")
    assert missing.value.code == "source-not-found"
    assert {"format-unknown", "source-not-found"} <= set(CODES)
