import io
import json
from decimal import Decimal

import numpy
import pytest
from PIL import Image

from tdvc.errors import FormatError
from tdvc.formats import Reconciliation, _rle_pack, label_studio
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.numbers import Number, parse, spell
from tdvc.model.records import make_instance
from tests.contracts.samples.label_studio import box, put, result, task

ANNOTATOR = "annotator:1"


def read(source, **options):
    problems = []
    found = list(label_studio.read(source, problems.append, ReadOptions(**options)))
    return [record for record in found if isinstance(record, FileRecord)], problems


def of(root, *tasks):
    put(root / "tasks.json", json.dumps(list(tasks)))
    return read(root)


def one(root, *results, **fields):
    (record,), problems = of(root, task("a.jpg", *results, **fields))
    return record, problems


def only(root, *results):
    record, problems = one(root, *results)
    assert problems == []
    (instance,) = record.instances
    return instance


def written(*records, labels=()):
    lost = []
    files = {file.path: b"".join(file.pieces) for file in label_studio.write(records, labels, lost.append)}
    return json.loads(files["tasks.json"]), files["label_config.xml"].decode(), lost


def results_again(record):
    ((again,), _, lost) = written(record)
    assert lost == []
    return [item for group in again["annotations"] for item in group["result"]]


def without_ours(item):
    item = dict(item) | {"meta": {key: value for key, value in item.get("meta", {}).items() if key != "tdvc"}}
    return item if item["meta"] else {key: value for key, value in item.items() if key != "meta"}


def reread(root, *instances, size=(64, 48), **fields):
    tasks, _, lost = written(FileRecord("a.jpg", None, list(instances), size=size, **fields))
    assert lost == []
    (record,), problems = of(root, *tasks)
    assert problems == []
    return record


def instance(type_, geometry, **fields):
    values = {"instance_id": "ab" * 16, "label": "cat", "type": type_, "geometry": geometry}
    return make_instance(values | fields)


def test_percent_become_pixels_and_leave_with_every_digit(tmp_path):
    value = {"x": 31.941923774954628, "y": 4.113475177304964, "width": 6.352087114337568, "height": 9.929078014184398}
    item = result("rectangle", "cat", size=(500, 320), **value, rotation=0)
    record, problems = one(tmp_path, item)
    assert problems == []
    found = record.instances[0]
    assert bytes(found.geometry) == b"[159.709619,13.163121,191.470054,44.93617]"
    assert (found.label, found.source, record.size) == ("cat", ANNOTATOR, (500, 320))
    (again,) = results_again(record)
    assert without_ours(again) == item


def test_percent_that_lead_back_are_not_kept_twice(tmp_path):
    found = only(tmp_path, result("rectangle", "cat", x=12.5, y=25, width=50, height=25, rotation=0))
    assert found.coordinates == [8, 12, 40, 24]
    assert "value" not in parse(bytes(found.properties))["label-studio"]


def test_a_moved_box_is_written_where_it_is(tmp_path):
    record, _ = one(tmp_path, box())
    moved = make_instance(
        {
            **parse(spell_instance(record.instances[0])),
            "geometry": [Number("16"), Number("12"), Number("32"), Number("24")],
        }
    )
    (again,) = results_again(FileRecord("a.jpg", None, [moved], record.properties, size=(64, 48)))
    assert (again["value"]["x"], again["value"]["width"]) == (25, 25)
    assert again["id"] == "r1"


def spell_instance(found):
    fields = ("attributes", "geometry", "instance_id", "label", "properties", "source", "type")
    return spell({name: getattr(found, name) for name in fields})


@pytest.mark.parametrize(
    ("rotation", "around"), [(90, (-8, 12, 8, 36)), (180, (-16, -4, 8, 12)), (270, (8, -12, 24, 12))]
)
def test_a_turn_is_about_the_top_left_corner_there_and_the_centre_here(tmp_path, rotation, around):
    """The box of 24 x 16 px at (8, 12), turned: its corner stays, so its centre moves."""
    item = result("rectangle", "cat", x=12.5, y=25, width=37.5, height=100 / 3, rotation=rotation)
    found = only(tmp_path, item)
    x0, y0, x1, y1, degrees = found.coordinates
    assert (round(x1 - x0, 4), round(y1 - y0, 4), degrees) == (24, 16, rotation)
    assert tuple(round(value, 4) for value in found.bounding_box) == around


def test_a_turned_box_comes_back_to_the_digit(tmp_path):
    item = result(
        "rectangle", "cat", x=10.537066764905694, y=19.5, width=19.04, height=8.13, rotation=328.33240366032834
    )
    record, _ = one(tmp_path, item)
    assert without_ours(results_again(record)[0]) == item
    before = instance("box", [1, 2, 30, 20, 33.3])
    assert reread(tmp_path, before).instances == [before]


@pytest.mark.parametrize(
    ("item", "type_", "geometry"),
    [
        (
            result("polygon", "cat", points=[[0, 0], [50, 0], [50, 50]], closed=True),
            "polygon",
            [[[0, 0, 32, 0, 32, 24]]],
        ),
        (result("polygon", "cat", points=[[0, 0], [50, 0], [50, 50]], closed=False), "polyline", [0, 0, 32, 0, 32, 24]),
        (result("keypoint", "cat", x=50, y=25, width=0.2), "point", [32, 12]),
        (result("ellipse", "cat", x=50, y=25, radiusX=25, radiusY=12.5, rotation=0), "ellipse", [32, 12, 16, 6]),
        (result("ellipse", "cat", x=50, y=25, radiusX=25, radiusY=12.5, rotation=30), "ellipse", [32, 12, 16, 6, 30]),
    ],
)
def test_every_region_becomes_its_type_and_comes_back(tmp_path, item, type_, geometry):
    record, problems = one(tmp_path, item)
    assert problems == []
    (found,) = record.instances
    assert (found.type, found.coordinates) == (type_, geometry)
    assert without_ours(results_again(record)[0]) == item


def test_a_brush_becomes_a_mask_of_the_picture(tmp_path):
    mask = numpy.zeros((48, 64), bool)
    mask[5:9, 7:30] = True
    record, problems = one(tmp_path, result("brush", "cat", format="rle", rle=_rle_pack.pack(mask)))
    assert problems == []
    found = record.instances[0].coordinates
    assert found["size"] == [48, 64]
    assert (masks.decode_rle(found) == mask).all()
    (again,) = results_again(record)
    assert (_rle_pack.unpack(bytes(again["value"]["rle"]), 64, 48) == mask).all()


@pytest.mark.parametrize(
    ("type_", "value", "geometry"),
    [
        ("text_span", {"start": 3, "end": 9, "text": "abcdef"}, [3, 9]),
        ("time_span", {"start": 1.5, "end": 2}, [1.5, 2]),
    ],
)
def test_spans_of_text_and_time(tmp_path, type_, value, geometry):
    item = {"id": "s", "type": "labels", "from_name": "label", "to_name": "text", "value": value | {"labels": ["name"]}}
    record, problems = one(tmp_path, item)
    assert (problems, record.instances[0].type, record.instances[0].coordinates) == ([], type_, geometry)
    assert without_ours(results_again(record)[0]) == item


@pytest.mark.parametrize(
    "bad",
    [
        result("rectangle", "cat", x=1, y=1, width=-1, height=5),
        result("rectangle", "cat", x="1", y=1, width=1, height=5),
        result("rectangle", "cat", x=True, y=1, width=1, height=5),
        result("rectangle", "cat", x=1e308, y=1, width=1e308, height=5, rotation=3),
        result("rectangle", "cat", x=1, y=1, width=1, height=5, rotation="90"),
        result("rectangle", "cat", x=1, y=1, width=1, height=5, rotation=1e308),
        result("rectangle", "", x=1, y=1, width=1, height=5),
        result("polygon", "cat", points=[[1, 1], [2, 2]]),
        result("polygon", "cat", points=[[1, 1], [2, 2], [3]]),
        result("polygon", "cat"),
        result("ellipse", "cat", x=1, y=1, radiusX=-1, radiusY=5),
        result("brush", "cat", format="rle", rle=[1, 2, 3]),
        result("brush", "cat", format="rle", rle=[256]),
        result("brush", "cat", format="rle", rle=[-1, "x"]),
        result("brush", "cat", format="png", rle=[1]),
        {"id": "r", "type": "rectanglelabels"},
        {"type": "relation", "from_id": "gone", "to_id": "good"},
        {"type": "relation"},
        "text",
        None,
    ],
)
def test_a_bad_result_is_left_out_alone(tmp_path, bad):
    record, (problem,) = one(tmp_path, bad, result("keypoint", "dog", "good", x=1, y=1, width=1))
    assert [found.label for found in record.instances] == ["dog"]
    assert (problem.code, problem.place, problem.instance) == (
        "instance-invalid",
        "tasks.json: task 0",
        "annotation 0, result 0",
    )
    assert (problem.dropped_files, problem.dropped_instances) == (0, 1)


def test_the_size_is_taken_from_another_result_or_the_picture(tmp_path):
    record, (problem,) = one(tmp_path, box(size=None))
    assert (record.instances, problem.code, problem.dropped_instances) == ([], "instance-invalid", 1)
    record, problems = one(tmp_path, box(size=None), box(identity="r2"))
    assert (problems, record.instances[0].coordinates[0]) == ([], 8)
    content = io.BytesIO()
    Image.new("RGB", (640, 480)).save(content, "PNG")
    put(tmp_path / "a.jpg", content.getvalue())
    record, problems = one(tmp_path, box(size=None))
    assert (problems, record.size, record.instances[0].coordinates[0]) == ([], (640, 480), 80)


def test_two_annotators_are_kept_side_by_side(tmp_path):
    annotations = [
        {"id": 5, "completed_by": 2, "result": [box()], "lead_time": 1.50},
        {"id": 6, "completed_by": {"id": 7, "email": "a@b.org"}, "result": [box("dog")]},
        {"id": 8, "completed_by": 2, "result": [box("cow")]},
    ]
    (record,), problems = of(tmp_path, {"id": 1, "data": {"image": "a.jpg"}, "annotations": annotations})
    assert problems == []
    assert [(found.label, found.source) for found in record.instances] == [
        ("cat", "annotator:2"),
        ("dog", "annotator:a@b.org"),
        ("cow", "annotator:2"),
    ]
    assert len({found.instance_id for found in record.instances}) == 3
    ((again,), _, _) = written(record)
    found = [group | {"result": [without_ours(item) for item in group["result"]]} for group in again["annotations"]]
    assert found == annotations
    assert again["id"] == 1


def test_predictions_are_of_a_model_and_scored(tmp_path):
    predictions = [
        {"model_version": "m 1", "score": 0.5, "result": [box() | {"score": 0.25}, box("dog", "r2")]},
        {"result": [box("cow")], "score": 0.125},
    ]
    (record,), problems = of(tmp_path, {"data": {"image": "a.jpg"}, "predictions": predictions})
    assert (problems, record.complete) == ([], None)
    assert [(found.label, found.source, bytes(found.score)) for found in record.instances] == [
        ("cat", "m 1", b"0.25"),
        ("dog", "m 1", b"0.5"),
        ("cow", "prediction", b"0.125"),
    ]
    ((again,), _, _) = written(record)
    assert [len(group["result"]) for group in again["predictions"]] == [2, 1]
    assert again["annotations"] == []


def test_new_instances_go_to_the_group_of_their_source(tmp_path):
    record, _ = one(tmp_path, box())
    added = [
        instance("point", [1, 2], instance_id="01" * 16, source=ANNOTATOR),
        instance("point", [1, 2], instance_id="02" * 16, source="annotator:9"),
        instance("point", [1, 2], instance_id="03" * 16, source="net", score=0.5),
        instance("point", [1, 2], instance_id="04" * 16, source="human"),
    ]
    before = [*record.instances, *added]
    task_ = FileRecord("a.jpg", None, before, record.properties, size=(64, 48))
    ((again,), _, _) = written(task_)
    assert [(group.get("completed_by"), len(group["result"])) for group in again["annotations"]] == [
        (1, 2),
        (9, 1),
        (None, 1),
    ]
    assert [(group["model_version"], len(group["result"])) for group in again["predictions"]] == [("net", 1)]
    (after,), _ = of(tmp_path, again)
    assert {found.instance_id: found.source for found in after.instances} == {
        found.instance_id: found.source for found in before
    }


def test_a_skipped_annotation_stays_a_property(tmp_path):
    skipped = {"was_cancelled": True, "result": [box()]}
    (record,), problems = of(tmp_path, {"data": {"image": "a.jpg"}, "annotations": [skipped]})
    assert (record.instances, record.complete, problems) == ([], None, [])
    ((again,), _, _) = written(record)
    assert again["annotations"] == [skipped]


@pytest.mark.parametrize(
    ("annotations", "complete"), [([], None), ([{"result": []}], True), ([{"result": [box()]}], True)]
)
def test_a_task_is_complete_when_somebody_submitted_it(tmp_path, annotations, complete):
    (record,), _ = of(tmp_path, {"data": {"image": "a.jpg"}, "annotations": annotations})
    assert record.complete is complete
    assert record.properties == {} or annotations[0]["result"]


@pytest.mark.parametrize("complete", [True, False, None])
@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("empty", [True, False])
def test_completeness_comes_back(tmp_path, complete, scored, empty):
    instances = [] if empty else [instance("point", [1, 2], **({"score": 0.5} if scored else {}))]
    record = reread(tmp_path, *instances, complete=complete, file_id="ef" * 16, properties={"coco": {"id": 1}})
    assert (record.complete, record.file_id, record.instances) == (complete, "ef" * 16, instances)
    assert record.properties == {"coco": {"id": Number("1")}}


def test_choices_are_tags_and_come_back_together(tmp_path):
    item = {
        "id": "c",
        "type": "choices",
        "from_name": "weather",
        "to_name": "image",
        "value": {"choices": ["wet", "dark"]},
    }
    record, problems = one(tmp_path, item)
    assert problems == []
    assert [(found.label, found.type) for found in record.instances] == [("wet", "tag"), ("dark", "tag")]
    (again,) = results_again(record)
    assert without_ours(again) == item
    assert reread(tmp_path, *record.instances, properties=record.properties).instances == record.instances


def test_a_text_about_the_picture_is_a_tag_with_the_text(tmp_path):
    item = {"id": "t", "type": "textarea", "from_name": "caption", "to_name": "image", "value": {"text": ["a cat"]}}
    record, _ = one(tmp_path, item)
    (found,) = record.instances
    assert (found.label, found.type, found.attribute_values) == ("caption", "tag", {"text": "a cat"})
    assert without_ours(results_again(record)[0]) == item


def by_control(item):
    return item["from_name"]


def test_what_is_said_of_a_region_is_its_attribute(tmp_path):
    region = box()
    place = {key: value for key, value in region["value"].items() if key != "rectanglelabels"}
    more = [
        region | {"type": "choices", "from_name": "state", "value": place | {"choices": ["ill"]}},
        region | {"type": "textarea", "from_name": "name", "value": place | {"text": ["Tom", "Tim"]}},
        region | {"type": "number", "from_name": "age", "value": place | {"number": 3}},
    ]
    record, problems = one(tmp_path, region, *more)
    assert problems == []
    (found,) = record.instances
    assert found.attribute_values == {"age": 3, "name": ["Tom", "Tim"], "state": "ill"}
    again = [without_ours(item) for item in results_again(record)]
    assert sorted(again, key=by_control) == sorted([region, *more], key=by_control)


def test_relations_join_regions_and_follow_their_ids(tmp_path):
    items = [
        box(),
        box("dog", "r2"),
        {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "left", "labels": ["chases"]},
        {"type": "relation", "from_id": "r2", "to_id": "r1", "direction": "right"},
    ]
    record, problems = one(tmp_path, *items)
    assert problems == []
    cat, dog, chases, other = record.instances
    assert (chases.type, chases.label, chases.coordinates) == ("relation", "chases", [cat.instance_id, dog.instance_id])
    assert (other.label, other.coordinates) == ("relation", [dog.instance_id, cat.instance_id])
    assert [without_ours(item) for item in results_again(record)] == items


def test_several_labels_and_no_label(tmp_path):
    two = box()
    two["value"]["rectanglelabels"] = ["cat", "pet"]
    plain = box(identity="r2") | {"type": "rectangle", "from_name": "region"}
    del plain["value"]["rectanglelabels"]
    record, problems = one(tmp_path, two, plain)
    assert (problems, [found.label for found in record.instances]) == ([], ["cat", "region"])
    assert [without_ours(item) for item in results_again(record)] == [two, plain]


def test_unknown_fields_and_results_survive(tmp_path):
    video = {"id": "v", "type": "videovector", "value": {"sequence": [{"frame": 1}]}}
    known = box() | {"parentID": "r0", "meta": {"text": ["hm"]}, "readonly": True}
    fields = {"id": 9, "meta": {"a": 1}, "inner_id": 3, "drafts": [{"x": 1.50}]}
    record, (problem,) = one(tmp_path, video, known, **fields)
    assert (problem.code, problem.severity) == ("kept-as-property", "warning")
    ((again,), _, _) = written(record)
    assert {key: again[key] for key in fields} == fields
    assert [without_ours(item) for item in again["annotations"][0]["result"]] == [video, known]


def test_a_picture_that_was_turned_is_said(tmp_path):
    record, (problem,) = one(tmp_path, box() | {"image_rotation": 90})
    assert (problem.code, len(record.instances)) == ("picture-turned", 1)
    assert results_again(record)[0]["image_rotation"] == 90


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("a.jpg", "a.jpg"),
        ("./b/a.jpg", "b/a.jpg"),
        ("https://example.org/b/c%20d.jpg?x=1", "b/c d.jpg"),
        ("s3://bucket/b/a.jpg", "b/a.jpg"),
        ("/data/upload/18/0a1b2c3d-a.jpg", "a.jpg"),
        ("/data/local-files/?d=b/a.jpg", "b/a.jpg"),
        ("/image1", "image1"),
        ("what? no #.jpg", "what? no #.jpg"),
    ],
)
def test_addresses_give_paths_and_are_written_back(tmp_path, address, path):
    (record,), problems = of(tmp_path, {"id": 1, "data": {"image": address, "note": 1}, "annotations": []})
    assert (record.path, record.source, problems) == (path, None, [])
    ((again,), _, _) = written(record)
    assert again["data"] == {"image": address, "note": 1}
    ((moved,), _, _) = written(FileRecord("z/moved.jpg", None, [], record.properties))
    assert moved["data"] == {"image": "z/moved.jpg", "note": 1}


@pytest.mark.parametrize(
    "address", ["../x.jpg", "https://h/%2e%2e/x.jpg", "C:\\x.jpg", "a\\..\\x.jpg", "/data/local-files/?d=../x"]
)
def test_an_address_that_leads_out_is_refused(tmp_path, address):
    records, (problem,) = of(tmp_path / "source", task(address, box()))
    assert records == []
    assert (problem.code, problem.dropped_files, problem.dropped_instances) == ("unsafe-path", 1, 1)


@pytest.mark.parametrize("at", ["0a1b2c3d-a.jpg", "a.jpg", "images/a.jpg"])
def test_an_upload_is_found_with_and_without_its_prefix(tmp_path, at):
    put(tmp_path / at)
    (record,), _ = of(tmp_path, task("/data/upload/18/0a1b2c3d-a.jpg", box()))
    assert record.source == tmp_path / at


def test_pictures_can_be_looked_up_elsewhere(tmp_path):
    put(tmp_path / "pictures/b/a.jpg")
    put(tmp_path / "tasks.json", json.dumps([task("https://h/b/a.jpg", box())]))
    (record,), problems = read(tmp_path / "tasks.json", images=tmp_path / "pictures")
    assert (record.path, record.source, problems) == ("b/a.jpg", tmp_path / "pictures/b/a.jpg", [])


def test_the_same_picture_twice_is_taken_once(tmp_path):
    records, problems = of(tmp_path, task("a.jpg", box()), task("a.jpg", box()), task("https://h/a.jpg", box()))
    assert len(records) == 1
    assert [(problem.dropped_files, problem.dropped_instances) for problem in problems] == [(1, 1)] * 2


def test_a_task_without_a_file_is_counted(tmp_path):
    records, (problem,) = of(tmp_path, {"data": {"text": "hello"}, "annotations": [{"result": [box(), box()]}]})
    assert (records, problem.code) == ([], "record-unreadable")
    assert (problem.dropped_files, problem.dropped_instances) == (1, 2)


@pytest.mark.parametrize(
    "bad",
    [
        "7",
        '{"data": 3}',
        '{"data": {"image": "a.jpg"}, "annotations": {}}',
        '{"data": {}, "data": {}}',
        '{"data": {"image": 7}}',
    ],
)
def test_a_bad_task_is_left_out_alone(tmp_path, bad):
    put(tmp_path / "tasks.json", f"[{bad}, {json.dumps(task('b.jpg', box()))}]")
    (record,), (problem,) = read(tmp_path)
    assert (record.path, problem.code, problem.place) == ("b.jpg", "record-unreadable", "tasks.json: task 0")


@pytest.mark.parametrize("content", ["[", "[{}", '[{"data": NaN}]', "[" * 5000, "[1] 2", b"\xff\xfe"])
def test_a_file_that_is_no_list_of_tasks_is_refused(tmp_path, content):
    put(tmp_path / "tasks.json", content)
    with pytest.raises(FormatError) as caught:
        read(tmp_path / "tasks.json")
    assert caught.value.code == "bad-format-file"


def test_the_sum_comes_out_whatever_is_wrong(tmp_path):
    tasks = [task("a.jpg", box(), box(size=None), "x"), task("../b.jpg", box()), task("c.jpg", box("")), {"data": {}}]
    put(tmp_path / "tasks.json", json.dumps(tasks))
    reconciliation = Reconciliation()
    for record in reconciliation.read(label_studio, tmp_path):
        reconciliation.stored(record)
    assert (reconciliation.files_in, reconciliation.instances_in) == (4, 5)
    assert (reconciliation.files_out, reconciliation.instances_out) == (2, 2)
    assert reconciliation.unexplained == (0, 0)


def test_the_configuration_gives_the_order_of_classes_and_is_written_anew(tmp_path):
    config = (
        '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
        '<Label value="dog" background="red"/><Label value="Katze" alias="cat"/></RectangleLabels>'
        '<Choices name="weather" toName="image"><Choice value="wet"/><Choice value="dog"/></Choices></View>'
    )
    put(tmp_path / "label_config.xml", config)
    put(tmp_path / "tasks.json", json.dumps([task("a.jpg", box())]))
    problems = []
    found = list(label_studio.read(tmp_path, problems.append))
    labels = [item for item in found if isinstance(item, LabelRecord)]
    assert [(label.name, label.index, label.fields) for label in labels] == [
        ("dog", 0, {"background": "red"}),
        ("cat", 1, {"value": "Katze"}),
        ("wet", 2, {}),
    ]
    assert problems == []
    _, again, _ = written(found[-1], labels=[*labels, LabelRecord('<&">', '<&">', 3)])
    put(tmp_path / "label_config.xml", again)
    names = [item.name for item in label_studio.read(tmp_path, problems.append) if isinstance(item, LabelRecord)]
    assert names == ["dog", "cat", "wet", '<&">']
    assert '<RectangleLabels name="label" toName="image">' in again


def test_a_configuration_with_a_document_type_is_refused(tmp_path):
    put(tmp_path / "label_config.xml", '<!DOCTYPE x [<!ENTITY a "b">]><View/>')
    put(tmp_path / "tasks.json", json.dumps([task("a.jpg", box())]))
    (record,), (problem,) = read(tmp_path / "tasks.json")
    assert (record.path, problem.code, problem.place) == ("a.jpg", "record-unreadable", "label_config.xml")


@pytest.mark.parametrize(
    ("type_", "geometry", "kinds"),
    [
        ("polygon", [[[5, 5, 40, 5, 40, 40, 5, 40], [10, 10, 20, 10, 20, 20]]], ["brushlabels"]),
        ("polygon", [[[5, 5, 9, 5, 9, 9]], [[15, 15, 19, 15, 19, 19]]], ["polygonlabels"] * 2),
        ("keypoints", [1, 2, 2, 0, 0, 0, 3, 4, 1], ["keypointlabels"] * 3),
        ("point", [Decimal("1.23456789"), 2], ["keypointlabels"]),
    ],
)
def test_what_label_studio_can_not_draw_is_drawn_otherwise_and_comes_back(tmp_path, type_, geometry, kinds):
    geometry = [Number(value) if isinstance(value, Decimal) else value for value in geometry]
    before = instance(
        type_, geometry, frame=3, sequence="s", source="x", attributes={"a": 1}, properties={"coco": {"id": 1}}
    )
    assert [item["type"] for item in results_again(FileRecord("a.jpg", None, [before], size=(64, 48)))] == kinds
    assert reread(tmp_path, before).instances == [before]


def test_a_region_that_was_moved_in_label_studio_stays_moved(tmp_path):
    tasks, _, _ = written(FileRecord("a.jpg", None, [instance("point", [Number("1.23456789"), 2])], size=(64, 48)))
    tasks[0]["annotations"][0]["result"][0]["value"]["x"] = 50
    (record,), _ = of(tmp_path, *tasks)
    assert record.instances[0].coordinates == [32, 2]
    assert record.instances[0].instance_id == "ab" * 16


def test_every_task_has_an_id_and_one_that_was_made_up_is_forgotten(tmp_path):
    kept, _ = one(tmp_path, box(), id=2)
    others = [FileRecord(f"{name}.jpg", None, [], size=(64, 48)) for name in "bcd"]
    tasks, _, _ = written(kept, *others)
    assert [found["id"] for found in tasks] == [2, 1, 3, 4]
    files, _ = of(tmp_path / "again", *tasks)
    assert [file.properties.get("label-studio", {}).get("id") for file in files] == [Number("2"), None, None, None]
    assert json.loads(b"".join(next(iter(label_studio.write([], [], print))).pieces)) == []


def test_what_has_no_place_is_counted(tmp_path):
    curve = instance("curve", [1, 2, 3, 4, 5, 6])
    sizeless = instance("box", [1, 2, 3, 4], instance_id="cd" * 16)
    _, _, problems = written(FileRecord("a.jpg", None, [curve, sizeless]))
    assert [(problem.code, problem.dropped_instances) for problem in problems] == [("type-not-carried", 1)] * 2


def test_properties_of_others_making_do_not_break_an_export(tmp_path):
    said = {
        "type": 5,
        "value": {"x": []},
        "labels": "x",
        "controls": {"a": {"type": []}},
        "annotation": True,
        "id": [1],
        "meta": 2,
    }
    before = instance("box", [1, 2, 3, 4], attributes={"a": 1}, properties={"label-studio": said})
    record = FileRecord(
        "a.jpg", None, [before], {"label-studio": {"annotations": 7, "data": [], "meta": []}}, size=(64, 48)
    )
    (again,), _, lost = written(record)
    assert (lost, len(again["annotations"][0]["result"])) == ([], 1)
    (after,), _ = of(tmp_path, again)
    assert after.instances[0].instance_id == before.instance_id


def test_hostile_carried_fields_are_not_believed(tmp_path):
    carried = {"instance_id": "x", "type": "mask", "geometry": {"counts": "0", "size": [9, 9]}, "part": {}, "frame": -1}
    record, (problem,) = one(
        tmp_path, box() | {"meta": {"tdvc": carried}}, meta={"tdvc": {"file_id": 7, "complete": "x"}}
    )
    assert (record.instances, record.file_id, record.complete) == ([], None, None)
    assert problem.code == "instance-invalid"
