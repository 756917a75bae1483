import os

import pytest

from tdvc.formats import Reconciliation, pascal_voc
from tdvc.model.numbers import parse

BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40.50</ymax></bndbox>"
CELL = f"<object><name>cell</name>{BOX}</object>"


def annotation(filename="a.jpg", inside=CELL):
    name = f"<filename>{filename}</filename>" if filename is not None else ""
    return f"<annotation>{name}{inside}</annotation>"


def put(path, content=b"picture"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def voc(root, annotations, pictures=("a.jpg",)):
    (root / "Annotations").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    for name, content in annotations.items():
        put(root / "Annotations" / name, content)
    for name in pictures:
        put(root / "JPEGImages" / name)
    return root


def read(source):
    problems = []
    records = list(pascal_voc.read(source, problems.append))
    return records, problems


def only_instance(root, inside):
    records, problems = read(voc(root, {"a.xml": annotation(inside=inside)}))
    assert problems == []
    (instance,) = records[0].instances
    return instance


def test_a_box_keeps_the_digits_it_was_written_with(tmp_path):
    instance = only_instance(tmp_path, CELL)
    assert (instance.label, instance.type) == ("cell", "box")
    assert bytes(instance.geometry) == b"[1,2,30,40.50]"


@pytest.mark.parametrize(
    ("written", "kept"),
    [(" 7\n", b"7"), ("1e1", b"1e1"), ("7.", b"7"), ("+7", b"7"), ("007", b"7"), (".5", b"0.5"), ("-0.0", b"-0.0")],
)
def test_numbers_json_can_not_spell_keep_their_value(tmp_path, written, kept):
    box = f"<bndbox><xmin>{written}</xmin><ymin>0</ymin><xmax>90</xmax><ymax>9</ymax></bndbox>"
    instance = only_instance(tmp_path, f"<object><name>cell</name>{box}</object>")
    assert bytes(instance.geometry) == b"[" + kept + b",0,90,9]"


def test_flags_become_attributes_as_given(tmp_path):
    flags = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>yes</occluded>"
    instance = only_instance(tmp_path, f"<object><name>cell</name>{flags}{BOX}</object>")
    assert instance.attribute_values == {"pose": "Left", "truncated": 1, "difficult": 0, "occluded": "yes"}
    assert bytes(instance.properties) == b"{}"


def test_named_attributes_join_the_flags(tmp_path):
    named = (
        "<attributes><attribute><name>age</name><value>3.0</value></attribute>"
        "<attribute><name>coat</name><value>red</value></attribute></attributes>"
    )
    instance = only_instance(tmp_path, f"<object><name>dog</name><difficult>0</difficult>{named}{BOX}</object>")
    assert bytes(instance.attributes) == b'{"age":3.0,"coat":"red","difficult":0}'


@pytest.mark.parametrize("text", ["NaN", "01", "1_0", "1e9999999999999999999999", "1" * 5000])
def test_attributes_that_are_almost_numbers_stay_text(tmp_path, text):
    instance = only_instance(tmp_path, f"<object><name>cell</name><pose>{text}</pose>{BOX}</object>")
    assert instance.attribute_values == {"pose": text}


def test_unknown_parts_of_an_object_are_kept(tmp_path):
    parts = f"<part><name>head</name>{BOX}</part><part><name>hand</name>{BOX}</part>"
    parts += "<actions><running>1</running></actions>"
    box = BOX.replace("</bndbox>", "<angle>0.3</angle></bndbox>")
    instance = only_instance(tmp_path, f'<object id="7"><name lang="en">person</name>{parts}{box}</object>')
    corners = {"xmin": "1", "ymin": "2", "xmax": "30", "ymax": "40.50"}
    assert instance.label == "person"
    assert parse(bytes(instance.properties))["pascal-voc"] == {
        "@id": "7",
        "name": {"@lang": "en", "#text": "person"},
        "part": [{"name": "head", "bndbox": corners}, {"name": "hand", "bndbox": corners}],
        "actions": {"running": "1"},
        "bndbox": {"angle": "0.3"},
    }


def test_what_the_file_says_of_the_picture_is_kept(tmp_path):
    head = (
        "<folder>RBC</folder><path>/home/pi/a.jpg</path><source><database>Unknown</database></source>"
        "<size><width>640</width><depth>3</depth></size><segmented>0</segmented>"
    )
    text = annotation(inside=head).replace("<annotation>", '<annotation verified="yes">')
    records, _ = read(voc(tmp_path, {"a.xml": text}))
    assert records[0].properties["pascal-voc"] == {
        "@verified": "yes",
        "folder": "RBC",
        "filename": "a.jpg",
        "path": "/home/pi/a.jpg",
        "source": {"database": "Unknown"},
        "size": {"width": "640", "depth": "3"},
        "segmented": "0",
    }


def test_the_foreign_path_is_never_followed(tmp_path):
    elsewhere = put(tmp_path / "elsewhere" / "b.jpg")
    text = annotation("b.jpg", f"<path>{elsewhere}</path>")
    records, problems = read(voc(tmp_path / "voc", {"b.xml": text}, pictures=()))
    assert records == []
    assert [problem.code for problem in problems] == ["picture-missing"]


def test_twin_boxes_stay_two_and_keep_their_ids(tmp_path):
    source = voc(tmp_path, {"a.xml": annotation(inside=CELL + CELL)})
    first, second = (read(source)[0][0].instances for _ in range(2))
    assert len({instance.instance_id for instance in first}) == 2
    assert first == second


def test_paths_are_those_of_the_source(tmp_path):
    source = voc(tmp_path, {"a.xml": annotation()})
    (record,) = read(source)[0]
    assert record.path == "JPEGImages/a.jpg"
    assert record.source == source / "JPEGImages" / "a.jpg"
    assert record.complete is None


def test_pictures_without_annotations_are_files_too(tmp_path):
    records, problems = read(voc(tmp_path, {"b.xml": annotation("b.jpg")}, pictures=("a.jpg", "b.jpg", "sub/c.PNG")))
    assert {record.path: len(record.instances) for record in records} == {
        "JPEGImages/a.jpg": 0,
        "JPEGImages/b.jpg": 1,
        "JPEGImages/sub/c.PNG": 0,
    }
    assert problems == []


@pytest.mark.parametrize("filename", ["a", "./a.jpg", ".//a.jpg", "", None])
def test_names_that_are_only_spelled_otherwise_find_their_picture(tmp_path, filename):
    records, problems = read(voc(tmp_path, {"a.xml": annotation(filename)}))
    assert [(record.path, len(record.instances)) for record in records] == [("JPEGImages/a.jpg", 1)]
    assert problems == []


def test_a_name_without_suffix_that_fits_two_pictures_is_not_guessed(tmp_path):
    records, problems = read(voc(tmp_path, {"x.xml": annotation("a")}, pictures=("a.jpg", "a.png")))
    assert [len(record.instances) for record in records] == [0, 0]
    assert [(problem.code, problem.dropped_instances) for problem in problems] == [("picture-missing", 1)]


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.jpg",
        "../JPEGImages/a.jpg",
        "/etc/passwd",
        "//srv/share/x.jpg",
        "C:\\x.jpg",
        "d:/x.jpg",
        "\\\\srv\\share",
        "a\\..\\..\\b.jpg",
        "x/../../../y.jpg",
        ".tdvc/x",
        "sub/.TDVC/x",
        ".t\u200cdvc/x",
        "GIT~1/x",
        ".",
        "x" * 256 + ".jpg",
        "y/" * 3000 + "x.jpg",
    ],
)
def test_names_that_lead_outside_are_refused(tmp_path, name):
    put(tmp_path / "evil.jpg")
    source = voc(tmp_path / "a" / "voc", {"a.xml": annotation(name)})
    records, problems = read(source)
    assert [(record.path, record.instances) for record in records] == [("JPEGImages/a.jpg", [])]
    assert [problem.code for problem in problems] == ["unsafe-path"]
    assert (problems[0].dropped_files, problems[0].dropped_instances) == (1, 1)
    assert len(problems[0].message) < 300


def test_a_missing_picture_drops_its_annotations_and_says_so(tmp_path):
    records, problems = read(voc(tmp_path, {"a.xml": annotation("gone.jpg", CELL * 3)}, pictures=()))
    assert records == []
    assert [(p.code, p.place, p.dropped_files, p.dropped_instances) for p in problems] == [
        ("picture-missing", "Annotations/a.xml", 1, 3)
    ]


def test_the_second_annotation_of_one_picture_is_listed(tmp_path):
    records, problems = read(voc(tmp_path, {"a.xml": annotation(), "b.xml": annotation(inside=CELL * 2)}))
    assert [len(record.instances) for record in records] == [1]
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("duplicate-path", 0, 2)]


LAUGHS = """<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><annotation><filename>&c;</filename></annotation>"""

NOT_ANNOTATIONS = {
    "empty": "",
    "text": "this is not XML",
    "html": "<html><body>404</body></html>",
    "cut in half": annotation()[:40],
    "trailing garbage": annotation() + "<more/>",
    "NUL": annotation().replace("cell", "ce\0ll"),
    "undefined entity": annotation().replace("cell", "&xxe;"),
    "wrong encoding": b"<?xml version='1.0' encoding='utf-8'?>" + annotation("\xe9.jpg").encode("latin-1"),
    "unknown encoding": "<?xml version='1.0' encoding='no-such-thing'?>" + annotation(),
    "bare doctype": "<!DOCTYPE annotation>" + annotation(),
    "external entity": '<!DOCTYPE a [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>' + annotation("&xxe;"),
    "billion laughs": LAUGHS,
    "deep nesting": annotation(inside="<a>" * 70 + "</a>" * 70),
    "endless nesting": "<a>" * 500_000,
    "deep unknown part": annotation(inside="<a>" * 40 + "</a>" * 40),
    "two file names": annotation(inside="<filename>b.jpg</filename>"),
}


@pytest.mark.parametrize("content", NOT_ANNOTATIONS.values(), ids=NOT_ANNOTATIONS.keys())
def test_a_bad_annotation_file_is_listed_and_its_picture_kept(tmp_path, content):
    records, problems = read(voc(tmp_path, {"a.xml": content}))
    assert [(record.path, record.instances) for record in records] == [("JPEGImages/a.jpg", [])]
    assert [(p.code, p.place, p.dropped_files) for p in problems] == [("record-unreadable", "Annotations/a.xml", 0)]
    assert len(problems[0].message) < 300


def test_a_bad_annotation_file_without_picture_counts_as_a_file(tmp_path):
    records, problems = read(voc(tmp_path, {"b.xml": "<oops"}, pictures=()))
    assert records == []
    assert [(p.code, p.dropped_files) for p in problems] == [("record-unreadable", 1)]


def test_a_file_the_system_refuses_is_listed(tmp_path, monkeypatch):
    source = voc(tmp_path, {"a.xml": annotation()})

    def refuse(path, limit_bytes):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tdvc.formats._xml.read_bytes", refuse)
    records, problems = read(source)
    assert [(record.path, record.instances) for record in records] == [("JPEGImages/a.jpg", [])]
    assert [(p.code, p.message) for p in problems] == [
        ("unreadable", "The annotation file could not be read: Permission denied.")
    ]


def test_limits_on_size_and_elements(tmp_path, monkeypatch):
    source = voc(tmp_path, {"a.xml": annotation(inside=CELL * 100)})
    monkeypatch.setattr("tdvc.formats._xml.MAX_ELEMENTS", 50)
    assert [problem.code for problem in read(source)[1]] == ["record-unreadable"]
    monkeypatch.undo()
    monkeypatch.setattr("tdvc.formats._xml.MAX_FILE_BYTES", 1000)
    assert [problem.code for problem in read(source)[1]] == ["record-unreadable"]
    monkeypatch.undo()
    assert read(source)[1] == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_problem(tmp_path, encoding):
    records, problems = read(voc(tmp_path, {"a.xml": annotation().replace("cell", "Zelle ß").encode(encoding)}))
    assert records[0].instances[0].label == "Zelle ß"
    assert problems == []


def box(**corners):
    corners = {"xmin": "1", "ymin": "1", "xmax": "5", "ymax": "5"} | corners
    inside = "".join(f"<{tag}>{text}</{tag}>" for tag, text in corners.items() if text is not None)
    return f"<bndbox>{inside}</bndbox>"


def named(inside, name="cell"):
    return f"<object><name>{name}</name>{inside}</object>"


BAD_OBJECTS = {
    "no box": named(""),
    "two boxes": named(BOX + BOX),
    "no name": f"<object>{BOX}</object>",
    "two names": named("<name>b</name>" + BOX),
    "empty name": named(BOX, name=""),
    "long name": named(BOX, name="x" * 10_000),
    "corner missing": named(box(xmax=None)),
    "corner twice": named(BOX.replace("</bndbox>", "<xmin>3</xmin></bndbox>")),
    "empty corner": named(box(xmin="")),
    "NaN": named(box(xmin="NaN")),
    "infinity": named(box(xmax="inf")),
    "beyond everything": named(box(xmax="1e308")),
    "huge exponent": named(box(xmax="1e999999999")),
    "endless digits": named(box(xmin="1" * 100_000)),
    "comma decimals": named(box(xmin="1,5")),
    "underscore": named(box(xmin="1_000")),
    "other digits": named(box(xmin="١")),
    "words": named(box(xmin="left" * 1000)),
    "edges swapped": named(box(xmin="9")),
    "deep part": named(BOX + "<p>" * 40 + "</p>" * 40),
}


@pytest.mark.parametrize("bad", BAD_OBJECTS.values(), ids=BAD_OBJECTS.keys())
def test_a_bad_object_is_dropped_alone(tmp_path, bad):
    records, problems = read(voc(tmp_path, {"a.xml": annotation(inside=CELL + bad + CELL)}))
    assert [instance.label for instance in records[0].instances] == ["cell", "cell"]
    assert [(p.code, p.instance, p.dropped_instances) for p in problems] == [("instance-invalid", "1", 1)]
    assert len(problems[0].message) < 300


def test_ids_do_not_move_when_another_object_is_bad(tmp_path):
    good, _ = read(voc(tmp_path / "good", {"a.xml": annotation(inside=CELL + CELL)}))
    part, _ = read(voc(tmp_path / "part", {"a.xml": annotation(inside=named("") + CELL)}))
    assert part[0].instances == good[0].instances[1:]


def test_zero_area_boxes_are_kept(tmp_path):
    instance = only_instance(tmp_path, named(box(xmin="5", ymin="5")))
    assert bytes(instance.geometry) == b"[5,5,5,5]"


def test_plain_split_lists_become_splits(tmp_path):
    source = voc(tmp_path, {"a.xml": annotation()}, pictures=("a.jpg", "b 1.jpg", "c.jpg"))
    put(source / "ImageSets/Main/train.txt", "a\r\nb 1\r\n")
    put(source / "ImageSets/Main/trainval.txt", "\ufeffa\n\n")
    put(source / "ImageSets/Main/cell_train.txt", "a  1\nc -1\n")
    records, problems = read(source)
    assert {record.path[11:]: record.properties.get("splits") for record in records} == {
        "a.jpg": ["train", "trainval"],
        "b 1.jpg": ["train"],
        "c.jpg": None,
    }
    assert [(p.code, p.place) for p in problems] == [("skipped-other", "ImageSets/Main/cell_train.txt")]


def test_split_lists_that_name_unknown_pictures_are_listed(tmp_path):
    source = voc(tmp_path, {})
    put(source / "ImageSets/Main/val.txt", "a\nx\ny\n")
    put(source / "ImageSets/Main/bad.txt", b"\xff\xfe\x00")
    _, problems = read(source)
    assert sorted((p.code, p.place) for p in problems) == [
        ("record-unreadable", "ImageSets/Main/bad.txt"),
        ("split-unknown", "ImageSets/Main/val.txt"),
    ]


def test_what_is_passed_over_is_listed(tmp_path):
    source = voc(tmp_path, {"a.xml": annotation()})
    put(source / "Sketches/a.png")
    put(source / "README.txt")
    put(source / "JPEGImages/.DS_Store")
    put(source / "JPEGImages/Thumbs.db")
    put(source / "Annotations/notes.txt")
    _, problems = read(source)
    assert sorted((p.code, p.place, p.severity) for p in problems) == [
        ("skipped-hidden", "JPEGImages/.DS_Store", "warning"),
        ("skipped-other", "Annotations/notes.txt", "warning"),
        ("skipped-other", "JPEGImages/Thumbs.db", "warning"),
        ("skipped-other", "README.txt", "warning"),
        ("skipped-other", "Sketches", "warning"),
    ]


def test_links_are_not_followed_and_counted_once(tmp_path):
    outside = put(tmp_path / "outside.jpg")
    source = voc(tmp_path / "voc", {"a.xml": annotation()}, pictures=())
    (source / "JPEGImages/a.jpg").symlink_to(outside)
    reconciliation = Reconciliation()
    assert list(reconciliation.read(pascal_voc, source)) == []
    assert {problem.code for problem in reconciliation.problems} == {"skipped-symlink"}
    assert (reconciliation.files_in, reconciliation.instances_in) == (1, 1)


def test_pipes_are_not_opened(tmp_path):
    source = voc(tmp_path, {"b.xml": annotation("b.jpg")}, pictures=())
    os.mkfifo(source / "Annotations/a.xml")
    os.mkfifo(source / "JPEGImages/b.jpg")
    records, problems = read(source)
    assert records == []
    assert {problem.code for problem in problems} == {"skipped-special"}


def test_xml_beside_pictures_with_split_folders(tmp_path):
    put(tmp_path / "train/a.jpg")
    put(tmp_path / "train/a.xml", annotation())
    put(tmp_path / "valid/deeper/b.jpg")
    put(tmp_path / "valid/deeper/b.xml", annotation("b.jpg"))
    put(tmp_path / "c.jpg")
    assert pascal_voc.detect(tmp_path)
    records, problems = read(tmp_path)
    assert [(r.path, len(r.instances), r.properties.get("splits")) for r in records] == [
        ("train/a.jpg", 1, ["train"]),
        ("valid/deeper/b.jpg", 1, ["valid"]),
        ("c.jpg", 0, None),
    ]
    assert problems == []


def test_the_lower_case_layout(tmp_path):
    put(tmp_path / "annotations/a.xml", annotation())
    put(tmp_path / "images/a.jpg")
    assert pascal_voc.detect(tmp_path)
    assert [(r.path, len(r.instances)) for r in read(tmp_path)[0]] == [("images/a.jpg", 1)]


def test_a_single_file_brings_its_picture_alone(tmp_path):
    source = voc(tmp_path, {"a.xml": annotation(), "b.xml": annotation("b.jpg")}, pictures=("a.jpg", "b.jpg"))
    path = source / "Annotations/b.xml"
    assert pascal_voc.detect(path)
    records, problems = read(path)
    assert [(r.path, len(r.instances)) for r in records] == [("JPEGImages/b.jpg", 1)]
    assert problems == []


def test_a_single_file_beside_its_picture(tmp_path):
    put(tmp_path / "a.jpg")
    put(tmp_path / "b.jpg")
    records, problems = read(put(tmp_path / "a.xml", annotation()))
    assert [(r.path, len(r.instances)) for r in records] == [("a.jpg", 1)]
    assert problems == []


@pytest.mark.parametrize("root", ["annotations", "CodeContext"])
def test_xml_of_another_kind_is_not_detected(tmp_path, root):
    put(tmp_path / "a.jpg")
    path = put(tmp_path / "a.xml", f"<{root}/>")
    assert not pascal_voc.detect(tmp_path)
    assert not pascal_voc.detect(path)
