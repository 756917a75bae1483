"""What every format promises. A new format adds its sample to `SAMPLES`; forgetting that fails."""

import builtins
import io
import json
import os
from pathlib import Path

import pytest

from tdvc.errors import CODES, FormatError, NotFound
from tdvc.formats import FORMATS, WRITABLE, Reconciliation, detect_format, format_named
from tdvc.model.problems import PROBLEMS
from tdvc.model.records import check_instance, encode_set
from tdvc.names import path_problem

OBJECT = (
    "<object><name>{label}</name><pose>Left</pose><bndbox>"
    "<xmin>1</xmin><ymin>2.50</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"
)


def put(path, content="picture"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def voc_text(filename, *labels):
    objects = "".join(OBJECT.format(label=label) for label in labels)
    return f"<annotation><filename>{filename}</filename>{objects}</annotation>"


def sample_pascal_voc(root):
    for name in ("a.jpg", "b.JPG", "empty.png"):
        put(root / "JPEGImages" / name)
    put(root / "Annotations/a.xml", voc_text("a.jpg", "cat", "cat"))
    put(root / "Annotations/b.xml", voc_text("b", "dog"))
    put(root / "Annotations/evil.xml", voc_text("../../outside/secret.jpg", "cat"))
    put(root / "Annotations/link.xml", voc_text("link.jpg", "cat"))
    put(root / "Annotations/torn.xml", "<annotation>")
    put(root / "ImageSets/Main/train.txt", "a\nb\n")
    return root / "JPEGImages"


def sample_image_folder(root):
    for name in ("cat/1.jpg", "cat/2.JPG", "dog/1.png", "loose.gif"):
        put(root / name)
    return root / "cat"


def sample_tdvc_jsonl(root):
    box = {"instance_id": "ab" * 16, "label": "cat", "type": "box", "geometry": [1, 2, 3, 4.5]}
    lines = [
        {"path": "pictures/a.jpg", "instances": [box, box | {"instance_id": "cd" * 16}], "complete": True},
        {"path": "pictures/nowhere.jpg", "instances": [], "properties": {"splits": ["train"], "x": 1.5}},
        {"path": "../outside/secret.jpg", "instances": [box]},
        {"path": "pictures/link.jpg", "instances": [box]},
        {"path": "pictures/a.jpg", "instances": [box]},
    ]
    put(root / "pictures/a.jpg")
    put(root / "instances.jsonl", "\n".join(json.dumps(line) for line in lines))
    return root / "pictures"


SAMPLES = {
    "image-folder": sample_image_folder,
    "pascal-voc": sample_pascal_voc,
    "tdvc-jsonl": sample_tdvc_jsonl,
}


def test_every_format_has_a_sample():
    assert set(SAMPLES) == set(FORMATS)


@pytest.fixture(params=sorted(FORMATS))
def name(request):
    return request.param


@pytest.fixture
def source(name, tmp_path):
    """A source with good and bad records, and a link out of it where its pictures are."""
    put(tmp_path / "outside/secret.jpg", "secret")
    pictures = SAMPLES[name](tmp_path / "source")
    (pictures / "link.jpg").symlink_to(tmp_path / "outside/secret.jpg")
    (pictures / "folder").symlink_to(tmp_path / "outside")
    return tmp_path / "source"


def read(format_, source):
    problems = []
    return list(format_.read(source, problems.append)), problems


def test_the_names_are_those_of_the_module(name):
    format_ = FORMATS[name]
    assert name == format_.NAME
    assert format_.TITLE
    assert all(isinstance(loss, str) and not loss.endswith(".") for loss in format_.LOSES)
    assert format_named(name) is format_


def test_exactly_one_format_detects_a_source(name, source):
    assert [found for found, format_ in FORMATS.items() if format_.detect(source)] == [name]
    assert detect_format(source) is FORMATS[name]


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
    assert FORMATS[name].detect(path) is False


def test_reading_twice_gives_the_same(name, source):
    assert read(FORMATS[name], source) == read(FORMATS[name], source)


def test_order_does_not_depend_on_the_disk(name, source, monkeypatch):
    expected, _ = read(FORMATS[name], source)
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
    assert read(FORMATS[name], source)[0] == expected


def test_records_are_fit_to_be_stored(name, source):
    records, _ = read(FORMATS[name], source)
    assert records
    assert any(record.instances for record in records)
    assert len({record.path for record in records}) == len(records)
    for record in records:
        assert path_problem(record.path) is None
        encode_set([check_instance(instance) for instance in record.instances])


def test_pictures_are_regular_files_inside_the_source(name, source):
    records, _ = read(FORMATS[name], source)
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
    read(FORMATS[name], source)
    inside = [Path(os.fsdecode(file)).resolve().is_relative_to(source.resolve()) for file in opened]
    assert all(inside)
    assert inside or name == "image-folder"


def test_the_source_is_not_changed(name, source):
    def state():
        return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in source.rglob("*")}

    before = state()
    FORMATS[name].detect(source)
    read(FORMATS[name], source)
    assert state() == before


def test_the_sum_comes_out(name, source):
    reconciliation = Reconciliation()
    for record in reconciliation.read(FORMATS[name], source):
        reconciliation.stored(record)
    assert reconciliation.unexplained == (0, 0)
    assert reconciliation.files_in == reconciliation.files_out + reconciliation.left_out[0]


def test_problems_have_known_codes_and_printable_places(name, source):
    _, problems = read(FORMATS[name], source)
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
    _, problems = read(FORMATS[name], source)
    assert ("unreadable", folder, "error") in [(p.code, p.place, p.severity) for p in problems]


@pytest.mark.parametrize("target", sorted(WRITABLE))
def test_a_written_format_carries_any_source(name, target, source, tmp_path):
    records, _ = read(FORMATS[name], source)
    path = tmp_path / "export" / "instances.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"".join(WRITABLE[target].write(records)))
    back, problems = read(WRITABLE[target], path)
    assert problems == []
    assert [(r.path, r.instances, r.properties, r.complete) for r in back] == [
        (r.path, r.instances, r.properties, r.complete) for r in records
    ]


def test_unknown_names_list_the_known():
    with pytest.raises(FormatError) as caught:
        format_named("yolo99")
    assert caught.value.code == "format-unknown"
    assert all(name in caught.value.message for name in FORMATS)


def test_a_source_that_fits_two_formats_is_not_guessed(tmp_path):
    sample_pascal_voc(tmp_path)
    sample_tdvc_jsonl(tmp_path)
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
