import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.errors import FormatError
from tdvc.formats import FileRecord, _json, tdvc_jsonl
from tdvc.model.numbers import Number
from tdvc.model.records import make_instance

ID = "0123456789abcdef" * 2
BOX = {"instance_id": ID, "label": "cell", "type": "box", "geometry": [1, 2, 3, 4]}
GOOD = '{"path":"good.jpg","instances":[]}'


def put(folder, content):
    path = folder / "instances.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(source):
    problems = []
    records = list(tdvc_jsonl.read(source, problems.append))
    return records, problems


def line(**fields):
    return json.dumps({"path": "a.jpg", "instances": [BOX]} | fields)


def test_one_line_in_canonical_spelling():
    instance = make_instance(BOX | {"geometry": [Number("1.50"), Number("2"), 3, 4], "attributes": {"b": 1, "a": "ß"}})
    record = FileRecord("a.jpg", None, [instance], {"z": Number("1.0"), "a": ["x"]}, True, ID, "ab" * 32)
    (written,) = tdvc_jsonl.lines([record])
    assert written.decode() == (
        '{"blob":"' + "ab" * 32 + '","complete":true,"file_id":"' + ID + '",'
        '"instances":[{"attributes":{"a":"ß","b":1},"geometry":[1.50,2,3,4],"instance_id":"' + ID + '",'
        '"label":"cell","type":"box"}],"path":"a.jpg","properties":{"a":["x"],"z":1.0}}\n'
    )


def test_what_is_absent_is_left_out():
    assert list(tdvc_jsonl.lines([FileRecord("a.jpg", None, [])])) == [b'{"instances":[],"path":"a.jpg"}\n']


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
spelled = st.sampled_from(["0", "-0.0", "1e5", "0.148063", "12345678901234567890123", "1.50"]).map(Number)
objects = st.dictionaries(texts, st.one_of(texts, spelled, st.booleans(), st.none(), st.lists(spelled, max_size=3)))
instances = st.builds(
    lambda identity, label, corner, attributes: make_instance(
        {
            "instance_id": identity.hex(),
            "label": label,
            "type": "box",
            "geometry": [corner, Number("0"), Number("123456789"), Number("7.00")],
            "attributes": attributes,
        }
    ),
    st.binary(min_size=16, max_size=16),
    st.text("abcß漢 \U0001f600", min_size=1, max_size=5),
    st.sampled_from(["0", "-0.0", "1e5", "0.148063", "1.50"]).map(Number),
    objects,
)
records = st.builds(
    FileRecord,
    path=st.text("abc_-ß", min_size=1, max_size=9),
    source=st.none(),
    instances=st.lists(instances, max_size=4, unique_by=lambda instance: instance.instance_id),
    properties=objects,
    complete=st.sampled_from([None, True, False]),
    file_id=st.one_of(st.none(), st.binary(min_size=16, max_size=16).map(bytes.hex)),
    blob=st.one_of(st.none(), st.binary(min_size=32, max_size=32).map(bytes.hex)),
)


@given(st.lists(records, max_size=4, unique_by=lambda record: record.path))
def test_what_was_written_reads_back_equal(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("export")
    content = b"".join(tdvc_jsonl.lines(written))
    back, problems = read(put(folder, content))
    assert problems == []
    assert back == written
    assert b"".join(tdvc_jsonl.lines(back)) == content


def test_any_spelling_is_read(tmp_path):
    path = put(
        tmp_path,
        '\ufeff { "instances" : [ {"type":"box", "geometry":[ 1.0 , 2, 3,4 ],"label":"\\u0063ell",'
        f'"instance_id":"{ID}"' + '} ] ,"path":"a.jpg", "complete":null}\r\n\r\n  \n' + GOOD,
    )
    found, problems = read(path)
    assert problems == []
    assert [record.path for record in found] == ["a.jpg", "good.jpg"]
    assert bytes(found[0].instances[0].geometry) == b"[1.0,2,3,4]"
    assert found[0].instances[0].label == "cell"


def test_pictures_lie_below_the_folder_or_nowhere(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.jpg").write_bytes(b"picture")
    put(tmp_path, line(path="sub/a.jpg") + "\n" + line(path="sub/b.jpg"))
    for source in (tmp_path, tmp_path / "instances.jsonl"):
        found, problems = read(source)
        assert [record.source for record in found] == [tmp_path / "sub/a.jpg", None]
        assert problems == []


def test_links_and_pipes_are_not_taken_for_pictures(tmp_path):
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"secret")
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "a.jpg").symlink_to(outside)
    (folder / "sub").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.jpg")
    put(folder, "\n".join(line(path=path) for path in ("a.jpg", "sub/outside.jpg", "pipe.jpg")))
    found, problems = read(folder)
    assert [record.source for record in found] == [None, None, None]
    assert [(p.code, p.severity) for p in problems] == [
        ("skipped-symlink", "warning"),
        ("skipped-symlink", "warning"),
        ("skipped-special", "warning"),
    ]


def test_an_instance_without_id_always_gets_the_same(tmp_path):
    anonymous = {key: value for key, value in BOX.items() if key != "instance_id"}
    put(tmp_path, line(instances=[anonymous, anonymous]))
    first, second = (read(tmp_path)[0][0].instances for _ in range(2))
    assert first == second
    assert len({instance.instance_id for instance in first}) == 2


BAD_LINES = {
    "empty object": "{}",
    "not JSON": "path: a.jpg",
    "cut in half": line()[:30],
    "NUL": line() + "\0",
    "trailing garbage": line() + " x",
    "two documents": line() + line(),
    "trailing comma": '{"path":"a.jpg",}',
    "comment": '{"path":"a.jpg" /* why */}',
    "null": "null",
    "a number": "12",
    "a list": "[" + line() + "]",
    "not UTF-8": b'{"path":"\xff.jpg"}',
    "UTF-16": line().encode("utf-16-le") + b"\0",
    "NaN": '{"path":"a.jpg","properties":{"x":NaN}}',
    "infinity": '{"path":"a.jpg","properties":{"x":-Infinity}}',
    "duplicate key": '{"path":"a.jpg","path":"b.jpg"}',
    "duplicate key inside": '{"path":"a.jpg","properties":{"x":1,"x":2}}',
    "lone surrogate": '{"path":"a.jpg","properties":{"x":"\\uD800"}}',
    "unknown key": '{"path":"a.jpg","instance":[]}',
    "path a number": '{"path":12}',
    "path null": '{"path":null}',
    "instances an object": '{"path":"a.jpg","instances":{}}',
    "instances null": '{"path":"a.jpg","instances":null}',
    "properties a list": '{"path":"a.jpg","properties":[]}',
    "complete a number": '{"path":"a.jpg","complete":1}',
    "complete a text": '{"path":"a.jpg","complete":"true"}',
    "file_id short": '{"path":"a.jpg","file_id":"abc"}',
    "file_id a number": '{"path":"a.jpg","file_id":' + "1" * 32 + "}",
    "blob upper case": '{"path":"a.jpg","blob":"' + "AB" * 32 + '"}',
    "nested 65 levels": '{"path":"a.jpg","properties":{"x":' + "[" * 63 + "]" * 63 + "}}",
    "nested without end": "[" * 1_000_000,
    "gzip": b"\x1f\x8b\x08\x00\x00",
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_listed_and_the_rest_read(tmp_path, bad):
    bad = bad.encode() if isinstance(bad, str) else bad
    found, problems = read(put(tmp_path, GOOD.encode() + b"\n" + bad + b"\n" + GOOD.replace("good", "last").encode()))
    assert [record.path for record in found] == ["good.jpg", "last.jpg"]
    assert [(p.code, p.place, p.dropped_files) for p in problems] == [("record-unreadable", "instances.jsonl:2", 1)]
    assert len(problems[0].message) < 300


def test_nesting_up_to_the_limit_is_read(tmp_path):
    deep = '{"path":"a.jpg","properties":{"x":' + "[" * 62 + "]" * 62 + "}}"
    found, problems = read(put(tmp_path, deep))
    assert len(found) == 1
    assert problems == []


@pytest.mark.parametrize(
    "path",
    ["../../evil", "/etc/passwd", "C:\\x", "d:/x", "a\\..\\b", "a//b", "./a", "", "x\0y", ".git/config", "GIT~1/x"],
)
def test_paths_that_lead_outside_are_refused(tmp_path, path):
    found, problems = read(put(tmp_path, line(path=path, instances=[BOX, BOX])))
    assert found == []
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("unsafe-path", 1, 2)]


def test_the_second_line_of_one_path_is_listed(tmp_path):
    found, problems = read(put(tmp_path, line() + "\n" + line()))
    assert len(found) == 1
    assert [(p.code, p.place, p.dropped_files, p.dropped_instances) for p in problems] == [
        ("duplicate-path", "instances.jsonl:2", 1, 1)
    ]


BAD_INSTANCES = {
    "not an object": 12,
    "unknown field": BOX | {"colour": "red"},
    "no label": {"type": "box", "geometry": [1, 2, 3, 4]},
    "label a number": BOX | {"label": 3},
    "unknown type": BOX | {"type": "circle"},
    "three numbers": BOX | {"geometry": [1, 2, 3]},
    "true for a number": BOX | {"geometry": [1, 2, 3, True]},
    "text for a number": BOX | {"geometry": [1, 2, 3, "4"]},
    "beyond everything": BOX | {"geometry": [1, 2, 3, 1e308]},
    "id in capitals": BOX | {"instance_id": ID.upper()},
    "attributes a list": BOX | {"attributes": [1]},
    "frame a fraction": BOX | {"frame": 1.5},
    "mask that is too short": BOX | {"type": "mask", "geometry": {"counts": "1", "size": [65535, 65535]}},
}


@pytest.mark.parametrize("bad", BAD_INSTANCES.values(), ids=BAD_INSTANCES.keys())
def test_a_bad_instance_is_dropped_alone(tmp_path, bad):
    other = BOX | {"instance_id": ID[::-1]}
    found, problems = read(put(tmp_path, line(instances=[BOX, bad, other])))
    assert [instance.instance_id for instance in found[0].instances] == [ID, ID[::-1]]
    assert [(p.code, p.instance, p.dropped_instances) for p in problems] == [("instance-invalid", "1", 1)]


def test_an_id_given_twice_is_dropped_the_second_time(tmp_path):
    found, problems = read(put(tmp_path, line(instances=[BOX, BOX | {"label": "other"}])))
    assert [instance.label for instance in found[0].instances] == ["cell"]
    assert [(p.code, p.instance, p.dropped_instances) for p in problems] == [("duplicate-instance", "1", 1)]


def test_a_line_of_ten_megabytes(tmp_path):
    found, problems = read(put(tmp_path, line(properties={"x": "y" * 10_000_000})))
    assert len(found[0].properties["x"]) == 10_000_000
    assert problems == []


def test_a_line_beyond_the_limit_is_listed_and_the_rest_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_json, "MAX_LINE_BYTES", 5000)
    found, problems = read(put(tmp_path, "x" * 5_000_000 + "\n" + GOOD + "\n" + "x" * 5001))
    assert [record.path for record in found] == ["good.jpg"]
    assert [(p.code, p.place) for p in problems] == [
        ("record-unreadable", "instances.jsonl:1"),
        ("record-unreadable", "instances.jsonl:3"),
    ]


def test_an_empty_file_is_an_empty_directory(tmp_path):
    assert tdvc_jsonl.detect(put(tmp_path, ""))
    assert read(tmp_path) == ([], [])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("instances.jsonl", "", True),
        ("mine.jsonl", "\ufeff" + line(), True),
        ("metadata.jsonl", '{"file_name":"a.jpg"}', False),
        ("instances.json", line(), False),
    ],
)
def test_detection_of_a_file(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert tdvc_jsonl.detect(path) is expected


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(FormatError) as caught:
        read(tmp_path)
    assert caught.value.code == "bad-format-file"
