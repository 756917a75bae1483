import re

import pytest

from tdvc.errors import FormatError
from tdvc.formats import Reconciliation, cvat
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.model.numbers import parse
from tdvc.model.records import make_instance

BOX = 'xtl="1" ytl="2.50" xbr="3" ybr="4"'


def put(path, content="picture"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def document(body, labels="", task=""):
    return (
        f"<annotations><version>1.1</version><meta><task>{task}<labels>{labels}</labels></task></meta>"
        f"{body}</annotations>"
    )


def image(shapes, name="a.jpg", more=""):
    return f'<image id="0" name="{name}" width="64" height="48"{more}>{shapes}</image>'


def read(source):
    problems = []
    found = list(cvat.read(source, problems.append))
    records = [record for record in found if isinstance(record, FileRecord)]
    return records, [label for label in found if isinstance(label, LabelRecord)], problems


def only_instance(root, shape, labels=""):
    put(root / "annotations.xml", document(image(shape), labels))
    records, _, problems = read(root)
    assert problems == []
    (instance,) = records[0].instances
    return instance


def written(records, labels=()):
    problems = []
    files = {file.path: b"".join(file.pieces).decode() for file in cvat.write(records, labels, problems.append)}
    return files, problems


def written_again(root, folder):
    """What comes back when a source is read, written and read again."""
    records, labels, _ = read(root)
    for path, content in written(records, labels)[0].items():
        put(folder / path, content)
    return records, read(folder)[0]


def own(instance):
    return parse(bytes(instance.properties)).get("cvat")


@pytest.mark.parametrize(
    ("shape", "kind", "geometry"),
    [
        (f'<box label="a" {BOX}/>', "box", b"[1,2.50,3,4]"),
        (f'<box label="a" {BOX} rotation="30.5"/>', "box", b"[1,2.50,3,4,30.5]"),
        ('<ellipse label="a" cx="9" cy="8" rx="3" ry="2.0" rotation="5"/>', "ellipse", b"[9,8,3,2.0,5]"),
        ('<polygon label="a" points="1,2;3,4.0; 5,6;"/>', "polygon", b"[[[1,2,3,4.0,5,6]]]"),
        ('<polyline label="a" points="1,2;3,4"/>', "polyline", b"[1,2,3,4]"),
        ('<points label="a" points="1,2"/>', "point", b"[1,2]"),
        ('<points label="a" points="1,2;3,4"/>', "keypoints", b"[1,2,2,3,4,2]"),
        ('<tag label="a"/>', "tag", b"null"),
    ],
)
def test_shapes_keep_their_numbers(tmp_path, shape, kind, geometry):
    instance = only_instance(tmp_path, shape)
    assert (instance.type, bytes(instance.geometry)) == (kind, geometry)


def test_the_rear_face_of_a_cuboid_starts_at_its_right(tmp_path):
    corners = {"tl1": (1, 2), "bl1": (1, 9), "tr1": (8, 2), "br1": (8, 9)}
    corners |= {"tl2": (10, 1), "bl2": (10, 7), "tr2": (4, 1), "br2": (4, 7)}
    places = " ".join(f'x{name}="{x}" y{name}="{y}"' for name, (x, y) in corners.items())
    instance = only_instance(tmp_path, f'<cuboid label="a" {places}/>')
    assert instance.coordinates == [1, 2, 8, 2, 8, 9, 1, 9, 4, 1, 10, 1, 10, 7, 4, 7]


def test_runs_of_a_mask_go_along_the_rows_of_its_crop(tmp_path):
    # rows of the crop: 011, 100
    instance = only_instance(tmp_path, '<mask label="a" rle="1, 3, 2" left="1" top="0" width="3" height="2"/>')
    from tdvc.model.masks import decode_rle

    inside = decode_rle(instance.coordinates)
    assert inside.shape == (48, 64)
    assert [(int(y), int(x)) for y, x in zip(*inside.nonzero(), strict=True)] == [(0, 2), (0, 3), (1, 1)]


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ('rle="1, 3" left="0" top="0" width="3" height="2"', "sum to 4"),
        ('rle="6" left="62" top="0" width="3" height="2"', "leaves the picture"),
        ('rle="-1, 7" left="0" top="0" width="3" height="2"', "not whole numbers"),
        ('rle="4" left="0" top="0" width="99999999" height="99999999"', "leaves the picture"),
    ],
)
def test_masks_that_break_their_rules_are_left_out(tmp_path, place, word):
    put(tmp_path / "annotations.xml", document(image(f'<mask label="a" {place}/>')))
    records, _, problems = read(tmp_path)
    assert records[0].instances == []
    assert [(problem.code, problem.dropped_instances) for problem in problems] == [("instance-invalid", 1)]
    assert word in problems[0].message


SKELETON = (
    "<label><name>body</name><type>skeleton</type><svg>&lt;line/&gt;</svg><attributes/></label>"
    "<label><name>nose</name><parent>body</parent><type>points</type></label>"
    "<label><name>toe</name><parent>body</parent></label><label><name>ear</name><parent>body</parent></label>"
)
JOINTS = (
    '<points label="toe" outside="0" occluded="1" points="3,4"/>'
    '<points label="nose" outside="0" occluded="0" points="1,2"/>'
)


def test_skeletons_follow_the_order_of_their_definition(tmp_path):
    put(tmp_path / "annotations.xml", document(image(f'<skeleton label="body">{JOINTS}</skeleton>'), SKELETON))
    records, labels, _ = read(tmp_path)
    assert bytes(records[0].instances[0].geometry) == b"[1,2,2,3,4,1,0,0,0]"
    assert [(label.name, label.fields["keypoints"]) for label in labels] == [("body", ["nose", "toe", "ear"])]
    assert labels[0].fields["svg"] == "<line/>"
    text = written(records, labels)[0]["annotations.xml"]
    assert 'label="ear"' not in text  # it was not there before
    assert "<parent>body</parent>" in text


def test_skeletons_without_a_definition_keep_the_names_of_their_points(tmp_path):
    put(tmp_path / "in/annotations.xml", document(image(f'<skeleton label="body">{JOINTS}</skeleton>')))
    before, after = written_again(tmp_path / "in", tmp_path / "out")
    assert before[0].instances[0].coordinates == [3, 4, 1, 1, 2, 2]
    assert [element["label"] for element in own(before[0].instances[0])["elements"]] == ["toe", "nose"]
    assert after[0].instances == before[0].instances


DEFINED = (
    "<label><name>a</name><color>#0f0</color><attributes>"
    "<attribute><name>ok</name><mutable>True</mutable><input_type>checkbox</input_type></attribute>"
    "<attribute><name>n</name><input_type>number</input_type></attribute>"
    "<attribute><name>kind</name><input_type>select</input_type><default_value>1</default_value>"
    "<values>1\n2\nlarge one</values></attribute></attributes></label>"
)


def attribute(name, text):
    return f'<attribute name="{name}">{text}</attribute>'


def test_attributes_have_the_kind_of_their_definition(tmp_path):
    inside = attribute("ok", "true") + attribute("n", "1.50") + attribute("kind", "2") + attribute("free", " x ")
    instance = only_instance(tmp_path, f'<box label="a" {BOX}>{inside}</box>', DEFINED)
    assert bytes(instance.attributes) == b'{"free":" x ","kind":"2","n":1.50,"ok":true}'


def test_definitions_are_fields_of_the_label_and_written_back(tmp_path):
    put(tmp_path / "annotations.xml", document(image(""), DEFINED))
    records, labels, _ = read(tmp_path)
    (label,) = labels
    assert label.fields["color"] == "#0f0"
    assert label.fields["attributes"][2]["values"] == ["1", "2", "large one"]
    text = written(records, labels)[0]["annotations.xml"]
    assert "<values>1\n2\nlarge one</values>" in text
    put(tmp_path / "again/annotations.xml", text)
    assert read(tmp_path / "again")[1] == labels


def test_values_between_spaces_are_told_apart_by_the_default(tmp_path):
    labels = (
        "<label><name>a</name><attributes><attribute><name>k</name><input_type>select</input_type>"
        "<default_value>v1</default_value><values>v1 v2</values></attribute></attributes></label>"
    )
    put(tmp_path / "annotations.xml", document(image(""), labels))
    assert read(tmp_path)[1][0].fields["attributes"][0]["values"] == ["v1", "v2"]


def test_what_a_shape_says_besides_is_kept_where_it_is_not_the_default(tmp_path):
    plain = only_instance(tmp_path, f'<box label="a" {BOX} occluded="0" z_order="0" source="manual"/>')
    assert own(plain) is None
    shape = f'<box label="a" {BOX} occluded="1" z_order="3" group_id="2" source="auto" odd="x"/>'
    instance = only_instance(tmp_path, shape)
    assert {name: str(value) for name, value in own(instance).items()} == {
        "occluded": "1",
        "z_order": "3",
        "group_id": "2",
        "source": "auto",
        "odd": "x",
    }
    text = written([FileRecord("a.jpg", None, [instance], size=(64, 48))])[0]["annotations.xml"]
    assert all(f'{name}="{value}"' in text for name, value in (("occluded", 1), ("group_id", 2), ("odd", "x")))


def test_copied_shapes_stay_two_though_they_carry_one_id(tmp_path):
    shape = f'<box label="a" {BOX}>{attribute("instance_id", "ab" * 16)}</box>'
    put(tmp_path / "annotations.xml", document(image(shape * 2)))
    records, _, problems = read(tmp_path)
    assert problems == []
    first, second = records[0].instances
    assert first.instance_id == "ab" * 16
    assert second.instance_id != first.instance_id
    assert first.attribute_values == {}


def test_an_empty_label_comes_back_empty(tmp_path):
    put(tmp_path / "in/annotations.xml", document(image(f'<box label="" {BOX}/>')))
    before, after = written_again(tmp_path / "in", tmp_path / "out")
    assert before[0].instances[0].label == "object"
    assert after[0].instances == before[0].instances
    assert '<box label=""' in (tmp_path / "out/annotations.xml").read_text()


def track(shapes, more="", number=0):
    return f'<track id="{number}" label="car" source="manual"{more}>{shapes}</track>'


def shape_at(frame, outside=0, keyframe=1, inside=""):
    return f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="{keyframe}" {BOX}>{inside}</box>'


VIDEO = "<id>7</id><name>clip</name><source>clip.mp4</source><mode>interpolation</mode>"
SIZE = "<original_size><width>640</width><height>480</height></original_size>"


def test_tracks_are_instances_of_the_video_by_frame(tmp_path):
    put(tmp_path / "clip.mp4")
    shapes = shape_at(10) + shape_at(13, keyframe=0) + shape_at(16, outside=1)
    put(tmp_path / "annotations.xml", document(track(shapes, ' group_id="4"'), task=VIDEO + SIZE))
    (record,), _, problems = read(tmp_path)
    assert problems == []
    assert (record.path, record.source, record.size) == ("clip.mp4", tmp_path / "clip.mp4", (640, 480))
    assert [(i.frame, i.sequence, i.label) for i in record.instances] == [(10, "0", "car"), (13, "0", "car")]
    assert own(record.instances[1])["keyframe"] == parse("0")


def test_an_object_that_leaves_is_no_instance_but_is_written_back(tmp_path):
    shapes = shape_at(1, outside=1) + shape_at(2) + shape_at(5, outside=1) + shape_at(7)
    put(tmp_path / "in/annotations.xml", document(track(shapes, ' group_id="4"'), task=VIDEO + SIZE))
    before, after = written_again(tmp_path / "in", tmp_path / "out")
    assert [instance.frame for instance in before[0].instances] == [2, 7]
    assert [record.instances for record in after] == [record.instances for record in before]
    text = (tmp_path / "out/video_0001.xml").read_text()
    assert [line.split('frame="')[1][0] for line in text.splitlines() if "<box" in line] == ["1", "2", "5", "7"]
    assert text.count('outside="1"') == 2
    assert text.count('group_id="4"') == 1


def test_a_track_that_is_nowhere_visible_is_said(tmp_path):
    put(tmp_path / "annotations.xml", document(track(shape_at(1, outside=1)), task=VIDEO))
    (record,), _, problems = read(tmp_path)
    assert record.instances == []
    assert [(problem.code, problem.severity) for problem in problems] == [("skipped-other", "warning")]


def test_frames_that_lie_there_as_pictures_are_the_files(tmp_path):
    for frame in (10, 13, 16):
        put(tmp_path / f"images/frame_{frame:06d}.png")
    put(tmp_path / "annotations.xml", document(track(shape_at(10) + shape_at(16)), task=VIDEO))
    records, _, problems = read(tmp_path)
    assert problems == []
    assert [(record.path, [i.frame for i in record.instances]) for record in records] == [
        ("images/frame_000010.png", [10]),
        ("images/frame_000013.png", []),
        ("images/frame_000016.png", [16]),
    ]


def test_instances_in_no_sequence_stay_so(tmp_path):
    one = {"label": "car", "type": "box", "geometry": [1, 2, 3, 4], "frame": 3}
    instances = [
        make_instance(one | {"instance_id": "ab" * 16}),
        make_instance(one | {"instance_id": "cd" * 16, "sequence": "0"}),
        make_instance(one | {"instance_id": "ef" * 16, "sequence": "0", "label": "bus", "frame": 4}),
    ]
    files, problems = written([FileRecord("b/clip.mp4", None, instances, split="train", size=(64, 48))])
    assert problems == []
    for path, content in files.items():
        put(tmp_path / path, content)
    put(tmp_path / "videos/train/b/clip.mp4")
    (record,), _, _ = read(tmp_path)
    assert record.path == "videos/train/b/clip.mp4"
    assert record.properties["splits"] == ["train"]
    assert sorted(record.instances, key=lambda i: i.instance_id) == instances


def test_objects_of_other_tools_leave_where_nothing_follows(tmp_path):
    one = {"label": "car", "type": "box", "geometry": [1, 2, 3, 4], "attributes": {"age": 3}}
    frames = {"ab": 0, "cd": 1, "ef": 5}
    instances = [make_instance(one | {"instance_id": k * 16, "frame": n, "sequence": "s"}) for k, n in frames.items()]
    instances.append(make_instance(one | {"instance_id": "ff" * 16, "frame": 9, "type": "point", "geometry": [1, 2]}))
    files, _ = written([FileRecord("clip.mp4", None, instances, size=(64, 48))])
    shapes = [line for line in files["video_0001.xml"].splitlines() if "frame=" in line]
    marks = [(line.split('frame="')[1].split('"')[0], 'outside="1"' in line) for line in shapes]
    assert marks == [("0", False), ("1", False), ("2", True), ("5", False), ("6", True), ("9", False)]
    put(tmp_path / "video_0001.xml", files["video_0001.xml"])
    put(tmp_path / "videos/clip.mp4")
    (record,), _, problems = read(tmp_path)
    assert (record.instances, problems) == (instances, [])
    assert record.properties == {"size": [parse("64"), parse("48")]}


def test_a_video_keeps_its_size_and_what_others_said_of_it(tmp_path):
    put(tmp_path / "in/clip.mp4")
    put(tmp_path / "in/annotations.xml", document(track(shape_at(3)), task=VIDEO + SIZE))
    (record,), _, _ = read(tmp_path / "in")
    assert record.properties["size"] == [parse("640"), parse("480")]
    said = record.properties | {"coco": {"id": parse("3")}}
    files, _ = written([FileRecord("clip.mp4", None, record.instances, said, size=record.size)])
    put(tmp_path / "out/video_0001.xml", files["video_0001.xml"])
    assert read(tmp_path / "out")[0][0].properties == said


def test_pictures_in_subsets_are_a_project_as_readers_want_it(tmp_path):
    records = [
        FileRecord(f"{name}.jpg", None, [], split=split) for name, split in (("a", "val"), ("b", "train"), ("c", ""))
    ]
    text = written(records)[0]["annotations.xml"]
    assert re.findall("<subset>(.*)</subset>", text) == ["default", "train", "val"]
    assert re.findall('subset="(.*?)"', text) == ["val", "train", "default"]
    put(tmp_path / "annotations.xml", text)
    found, _, problems = read(tmp_path)
    assert [record.properties.get("splits") for record in found] == [["val"], ["train"], None]
    assert problems == []
    assert "<project>" not in written([FileRecord("a.jpg", None, [])])[0]["annotations.xml"]


def test_a_video_without_annotation_is_a_video(tmp_path):
    files, _ = written([FileRecord("clip.mp4", None, [])])
    assert sorted(files) == ["video_0001.xml"]


def test_what_has_no_place_is_reported(tmp_path):
    curve = make_instance({"label": "a", "type": "curve", "geometry": [1, 2, 3, 4, 5, 6]})
    on_no_frame = make_instance({"label": "a", "type": "box", "geometry": [1, 2, 3, 4]})
    on_frame = make_instance({"label": "a", "type": "box", "geometry": [1, 2, 3, 4], "frame": 0})
    records = [FileRecord("a.jpg", None, [curve]), FileRecord("v.mp4", None, [on_frame, on_no_frame])]
    _, problems = written(records)
    assert [(problem.code, problem.dropped_instances) for problem in problems] == [("type-not-carried", 1)] * 2


def test_holes_become_a_mask(tmp_path):
    rings = [[1, 1, 11, 1, 11, 11, 1, 11], [3, 3, 6, 3, 6, 6, 3, 6]]
    polygon = make_instance({"label": "a", "type": "polygon", "geometry": [rings]})
    put(tmp_path / "a.xml", written([FileRecord("a.jpg", None, [polygon], size=(64, 48))])[0]["annotations.xml"])
    (instance,) = read(tmp_path)[0][0].instances
    from tdvc.model.masks import decode_rle

    assert (instance.type, int(decode_rle(instance.coordinates).sum())) == ("mask", 91)


def test_characters_that_xml_can_not_spell_are_replaced_and_said(tmp_path):
    fields = {"label": "a\x01", "type": "box", "geometry": [1, 2, 3, 4], "attributes": {"t": "x\x02\r\n"}}
    files, problems = written([FileRecord("a.jpg", None, [make_instance(fields)], size=(64, 48))])
    assert [(problem.code, problem.severity) for problem in problems] == [("text-changed", "warning")]
    put(tmp_path / "a.xml", files["annotations.xml"])
    (instance,) = read(tmp_path)[0][0].instances
    assert (instance.label, instance.attribute_values) == ("a\ufffd", {"t": "x\x02\r\n"})


def test_a_value_changed_in_cvat_wins_over_the_one_we_wrote(tmp_path):
    fields = {"label": "a", "type": "box", "geometry": [1, 2, 3, 4], "attributes": {"t": "5"}}
    text = written([FileRecord("a.jpg", None, [make_instance(fields)], size=(64, 48))])[0]["annotations.xml"]
    put(tmp_path / "one/a.xml", text)
    put(tmp_path / "two/a.xml", text.replace(">5<", ">6<"))
    values = [read(tmp_path / name)[0][0].instances[0].attribute_values for name in ("one", "two")]
    assert values == [{"t": "5"}, {"t": 6}]


def test_subsets_are_splits_and_folders(tmp_path):
    put(tmp_path / "images/train/a.jpg")
    body = image("", more=' subset="train" task_id="3"') + image("", "b.jpg", ' subset="default"')
    put(tmp_path / "annotations.xml", document(body))
    first, second = read(tmp_path)[0]
    assert (first.path, first.properties["splits"]) == ("images/train/a.jpg", ["train"])
    assert (second.path, second.source, "splits" in second.properties) == ("b.jpg", None, False)
    text = written([FileRecord("a.jpg", None, [], first.properties, split="train")])[0]["annotations.xml"]
    assert 'subset="train"' in text
    assert 'task_id="3"' in text


@pytest.mark.parametrize("name", ["../../evil.jpg", "/etc/passwd", "C:\\x.jpg", ".tdvc/x", "", "x/../../y.jpg"])
def test_names_that_lead_outside_are_refused(tmp_path, name):
    put(tmp_path / "evil.jpg")
    put(tmp_path / "in/deep/annotations.xml", document(image(f'<box label="a" {BOX}/>', name)))
    records, _, problems = read(tmp_path / "in/deep")
    assert records == []
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("unsafe-path", 1, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<annotations>",
        "<annotation></annotation>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations>&b;</annotations>",
        "<annotations><image>" + "<a>" * 100,
        "\ud800",
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused(tmp_path, text):
    path = tmp_path / "annotations.xml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(FormatError) as caught:
        list(cvat.read(path, lambda problem: None))
    assert caught.value.code == "bad-format-file"


def test_a_torn_file_gives_what_came_before_and_says_so(tmp_path):
    text = document(image(f'<box label="a" {BOX}/>') + image("", "b.jpg"))
    put(tmp_path / "annotations.xml", text[: text.index("b.jpg")])
    records, _, problems = read(tmp_path)
    assert [len(record.instances) for record in records] == [1]
    assert [problem.code for problem in problems] == ["record-unreadable"]


@pytest.mark.parametrize(
    "shape",
    [
        '<box label="a" xtl="NaN" ytl="1" xbr="2" ybr="3"/>',
        '<box label="a" xtl="5" ytl="1" xbr="2" ybr="3"/>',
        '<box label="a" ytl="1" xbr="2" ybr="3"/>',
        f"<box {BOX}/>",
        '<polygon label="a" points="1,2;3,4"/>',
        '<polygon label="a" points="1,2;3"/>',
        '<polygon label="a" points=""/>',
        '<skeleton label="a"/>',
        '<sphere label="a"/>',
        '<ellipse label="a" cx="1" cy="1" rx="-1" ry="1"/>',
    ],
)
def test_bad_shapes_are_counted_and_the_rest_is_read(tmp_path, shape):
    put(tmp_path / "annotations.xml", document(image(shape + f'<box label="a" {BOX}/>')))
    sums = Reconciliation()
    for record in sums.read(cvat, tmp_path):
        sums.stored(record)
    assert (sums.instances_out, sums.left_out, sums.unexplained) == (1, (0, 1), (0, 0))
    assert sums.problems[0].code == "instance-invalid"
    assert sums.problems[0].message.endswith(".")
