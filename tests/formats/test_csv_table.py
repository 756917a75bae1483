import csv
import io

import pytest
from PIL import Image

from tdvc.errors import FormatError
from tdvc.formats import FileRecord, csv_table
from tdvc.formats.base import LabelRecord, ReadOptions, Reconciliation
from tdvc.model.records import make_instance

ID = "0123456789abcdef" * 2
TF = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
BCCD = "filename,cell_type,xmin,xmax,ymin,ymax\n"


def put(folder, content, name="t.csv"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(source, **options):
    problems = []
    found = list(csv_table.read(source, problems.append, ReadOptions(**options)))
    return [r for r in found if isinstance(r, FileRecord)], problems


def boxes(records):
    return {r.path: [(i.label, bytes(i.geometry).decode()) for i in r.instances] for r in records}


def written(*records):
    problems = []
    (file,) = csv_table.write(records, [], problems.append)
    return b"".join(file.pieces).decode(), problems


@pytest.mark.parametrize(
    "text",
    [
        TF + "a.jpg,9,9,cat,1,2.50,3,4\n",
        BCCD + "a.jpg,cat,1,3,2.50,4\n",
        "ymax;xmax;ymin;xmin;class;filename\r\n4;3;2.50;1;cat;a.jpg\r\n",
        "﻿image\tlabel\tx1\ty1\tx2\ty2\na.jpg\tcat\t1\t2.50\t3\t4",
        "File Name,X-Min,Y-Min,X-Max,Y-Max,Class Name\n./a.jpg,1,2.50,3,4,cat\n",
    ],
)
def test_the_header_decides_and_never_the_position(tmp_path, text):
    records, problems = read(put(tmp_path, text))
    assert boxes(records) == {"a.jpg": [("cat", "[1,2.50,3,4]")]}
    assert problems == []


def test_width_and_height_are_the_picture_beside_corners_and_the_box_without(tmp_path):
    records, _ = read(put(tmp_path, TF + "a.jpg,640,480,cat,1,2,3,4\n"))
    assert records[0].size == (640, 480)
    records, _ = read(put(tmp_path, "filename,class,x,y,width,height\na.jpg,cat,0.1,2,0.2,3\n"))
    assert boxes(records) == {"a.jpg": [("cat", "[0.1,2,0.3,5]")]}
    assert records[0].size is None


def test_the_user_names_columns_that_nobody_knows(tmp_path):
    path = put(tmp_path, "bild,art,l,t,b,h\na.jpg,Katze,1,2,3,4\n")
    with pytest.raises(FormatError) as caught:
        read(path)
    assert caught.value.code == "bad-format-file"
    assert "[columns]" in caught.value.hint
    chosen = {"path": "bild", "label": "art", "x": "l", "y": "t", "width": "b", "height": "h"}
    assert boxes(read(path, columns=chosen)[0]) == {"a.jpg": [("Katze", "[1,2,4,6]")]}
    assert boxes(read(tmp_path, columns=chosen)[0]) == {"a.jpg": [("Katze", "[1,2,4,6]")]}
    with pytest.raises(FormatError, match="no column 'nose'"):
        read(path, columns={"path": "nose"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no header"),
        (b"a.jpg,1,2,3,4,cat\n", "no column for the picture's name"),
        (b"filename,note\na.jpg,x\n", "neither a column for the label"),
        (b"filename,class,class\n", "two columns 'class'"),
        (TF.encode() + b"a.jpg,1,1,caf\xe9,1,2,3,4\n", "not UTF-8"),
        (TF.encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_table_that_can_not_be_understood_is_refused_whole(tmp_path, content, message):
    with pytest.raises(FormatError, match=message):
        read(put(tmp_path, content))


def test_rows_of_one_picture_need_not_stand_together(tmp_path):
    rows = "a.jpg,1,1,cat,1,2,3,4\nb.jpg,1,1,dog,1,2,3,4\na.jpg,1,1,cat,5,6,7,8\n"
    records, _ = read(put(tmp_path, TF + rows))
    assert boxes(records) == {"b.jpg": [("dog", "[1,2,3,4]")], "a.jpg": [("cat", "[1,2,3,4]"), ("cat", "[5,6,7,8]")]}


def test_twins_stay_two_and_ids_do_not_change(tmp_path):
    path = put(tmp_path, TF + "a.jpg,1,1,cat,1,2,3,4\n" * 2)
    first, second = read(path)[0][0].instances
    assert first.instance_id != second.instance_id
    assert read(path)[0][0].instances == [first, second]


def test_bad_rows_are_listed_with_their_line_and_counted(tmp_path):
    rows = [
        "a.jpg,1,1,cat,1,2,3,4",
        "a.jpg,1,1,cat,nan,2,3,4",
        "a.jpg,1,1,cat,1,2",
        "a.jpg,1,1,cat,1,2,3,4,extra",
        "a.jpg,1,1,cat,9,2,3,4",
        'a.jpg,1,1,"c"at,1,2,3,4',
        "a.jpg,1,1,c\0t,1,2,3,4",
        f"a.jpg,1,1,{'c' * 9_000_000},1,2,3,4",
        "http://169.254.169.254/a.jpg,1,1,cat,1,2,3,4",
        "../../a.jpg,1,1,cat,1,2,3,4",
        "a.jpg,1,1,dog,1,2,3,4",
    ]
    path = put(tmp_path, TF + "\n".join(rows))
    total = Reconciliation()
    records = list(total.read(csv_table, path))
    for record in records:
        total.stored(record)
    assert [label for label, _ in boxes(records)["a.jpg"]] == ["cat", "dog"]
    assert sorted(int(problem.place.split(":")[1]) for problem in total.problems) == list(range(3, 12))
    assert (total.instances_in, total.instances_out, total.unexplained) == (11, 2, (0, 0))
    assert (total.files_in, total.files_out) == (3, 1)


def test_a_row_without_a_box_is_a_tag_and_without_a_label_a_picture(tmp_path):
    records, problems = read(put(tmp_path, TF + "a.jpg,9,9,cat,,,,\nb.jpg,9,9,,,,,\n"))
    assert [(r.path, [(i.label, i.type) for i in r.instances]) for r in records] == [
        ("a.jpg", [("cat", "tag")]),
        ("b.jpg", []),
    ]
    assert problems == []


def test_half_a_box_is_no_box(tmp_path):
    records, problems = read(put(tmp_path, TF + "a.jpg,9,9,cat,1,2,,4\n"))
    assert records[0].instances == []
    assert [(p.code, p.dropped_instances) for p in problems] == [("instance-invalid", 1)]


OPEN_IMAGES = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded\n"


def test_open_images(tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (200, 100)).save(picture, "JPEG")
    put(tmp_path, picture.getvalue(), "validation/0001.jpg")
    put(tmp_path, OPEN_IMAGES + "0001,xclick,/m/01,1,0.0125,0.5,0.25,1,-1\n", "validation-annotations-bbox.csv")
    labels = "ImageID,Source,LabelName,Confidence\n0001,verification,/m/02,0\n"
    put(tmp_path, labels, "validation-annotations-human-imagelabels.csv")
    put(tmp_path, "/m/01,Tortoise\n/m/02,Cat\n/m/03,Cat\n", "class-descriptions-boxable.csv")
    assert csv_table.detect(tmp_path)
    problems = []
    found = list(csv_table.read(tmp_path, problems.append))
    labels, records = found[:3], found[3:]
    assert [(label.key, label.name, label.fields["LabelName"]) for label in labels] == [
        ("Tortoise", "Tortoise", "/m/01"),
        ("Cat", "Cat", "/m/02"),
        ("/m/03", "Cat", "/m/03"),
    ]
    assert isinstance(labels[0], LabelRecord)
    (record,) = records
    assert (record.path, record.size) == ("validation/0001.jpg", (200, 100))
    assert record.properties == {"splits": ["validation"]}
    box, tag = record.instances
    assert (box.label, box.coordinates, box.attribute_values) == ("Tortoise", [2.5, 25, 100, 100], {"IsOccluded": -1})
    assert (tag.label, tag.type, bytes(tag.score)) == ("Cat", "tag", b"0")
    assert problems == []


def test_fractions_need_the_size_of_the_picture(tmp_path):
    records, problems = read(put(tmp_path, OPEN_IMAGES + "0001,x,/m/01,1,0.1,0.5,0.2,1,0\n"))
    assert (records[0].path, records[0].instances) == ("0001.jpg", [])
    assert [(p.code, p.dropped_instances) for p in problems] == [("instance-invalid", 1)]
    path = put(tmp_path, TF + "a.jpg,200,100,cat,0.1,0.5,0.5,0.75\n")
    assert boxes(read(path, relative=True)[0]) == {"a.jpg": [("cat", "[20,50,100,75]")]}


def test_coordinates_that_could_be_fractions_are_pixels_with_a_warning(tmp_path):
    path = put(tmp_path, TF + "a.jpg,200,100,cat,0.1,0.5,0.5,0.75\n")
    records, problems = read(path)
    assert boxes(records) == {"a.jpg": [("cat", "[0.1,0.5,0.5,0.75]")]}
    assert [(p.code, p.severity) for p in problems] == [("coordinates-doubtful", "warning")]
    assert read(path, relative=False)[1] == []


def test_pictures_are_found_below_the_table_or_where_the_user_says(tmp_path):
    put(tmp_path, "x", "table/JPEGImages/a.jpg")
    put(tmp_path, "x", "elsewhere/b.jpg")
    path = put(tmp_path, TF + "a.jpg,1,1,cat,1,2,3,4\nb.jpg,1,1,cat,1,2,3,4\n", "table/t.csv")
    assert [(r.path, r.source is None) for r in read(path)[0]] == [("JPEGImages/a.jpg", False), ("b.jpg", True)]
    there = tmp_path / "elsewhere"
    assert [(r.path, r.source) for r in read(path, images=there)[0]] == [("a.jpg", None), ("b.jpg", there / "b.jpg")]


def test_two_names_of_one_picture_do_not_become_two_files(tmp_path):
    put(tmp_path, "x", "images/a.jpg")
    rows = "a.jpg,1,1,cat,1,2,3,4\nimages/a.jpg,1,1,cat,1,2,3,4\nimages/a.jpg,1,1,,,,,\n"
    records, problems = read(put(tmp_path, TF + rows))
    assert [r.path for r in records] == ["images/a.jpg"]
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("duplicate-path", 0, 1)]


def test_a_table_beside_another_tools_files_is_not_the_source(tmp_path):
    put(tmp_path, TF + "a.jpg,1,1,cat,1,2,3,4\n")
    assert csv_table.detect(tmp_path)
    put(tmp_path, "<annotation/>", "Annotations/a.xml")
    assert not csv_table.detect(tmp_path)


def test_splits_come_from_a_column_or_from_one_table_each(tmp_path):
    text = "filename,class,split\na.jpg,cat,train\nb.jpg,cat,val\na.jpg,dog,test\n"
    records, _ = read(put(tmp_path, text))
    assert {r.path: r.properties["splits"] for r in records} == {"a.jpg": ["test", "train"], "b.jpg": ["val"]}
    for name in ("train_labels.csv", "training.csv"):
        put(tmp_path / "two", TF + f"{name}.jpg,1,1,cat,1,2,3,4\n", name)
    assert [r.properties for r in read(tmp_path / "two")[0]] == [{"splits": ["train"]}, {}]


def cat(**fields):
    return make_instance({"instance_id": ID, "label": "cat", "type": "box", "geometry": [1, 2, 3, 4]} | fields)


def test_what_is_written_reads_like_a_tensorflow_table():
    text, _ = written(FileRecord("a.jpg", None, [cat()], size=(9, 8)), FileRecord("b.jpg", None, [], size=(7, 6)))
    first, second = csv.DictReader(io.StringIO(text))
    assert list(first)[:8] == TF.strip().split(",")
    assert [first[name] for name in TF.strip().split(",")] == ["a.jpg", "9", "8", "cat", "1", "2", "3", "4"]
    assert (second["filename"], second["class"], second["xmin"]) == ("b.jpg", "", "")


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''", "＝1", 'a\r\n,"b'])
def test_no_cell_is_a_formula_and_every_text_comes_back(tmp_path, text):
    instance = cat(label=text, sequence=text, source=text, properties={"csv": {text: text}, "x": text})
    output, _ = written(FileRecord("=a.jpg", None, [instance]))
    for row in csv.reader(io.StringIO(output, newline="")):
        assert [cell for cell in row if cell.startswith(tuple("=+-@\t\r\n＝"))] == []
    (record,) = read(put(tmp_path, output))[0]
    assert (record.path, record.instances) == ("=a.jpg", [instance])


def test_a_quote_in_somebody_elses_table_is_part_of_the_text(tmp_path):
    assert boxes(read(put(tmp_path, BCCD + "a.jpg,'=x,1,3,2,4\n"))[0]) == {"a.jpg": [("'=x", "[1,2,3,4]")]}


def test_unknown_columns_are_kept_and_become_columns_again(tmp_path):
    records, _ = read(put(tmp_path, BCCD.strip() + ",Stain,batch no\na.jpg,cat,1,3,2,4,HE,1.50\nb.jpg,cat,1,3,2,4,,\n"))
    assert bytes(records[0].instances[0].properties) == b'{"csv":{"Stain":"HE","batch no":1.50}}'
    output, _ = written(*records)
    rows = list(csv.DictReader(io.StringIO(output)))
    assert [(row["Stain"], row["batch no"], row["properties"]) for row in rows][:1] == [("HE", "1.50", "")]
    back = read(put(tmp_path, output))[0]
    assert [r.instances for r in back] == [r.instances for r in records]


def test_what_a_table_has_no_place_for_is_said():
    turned, polygon = cat(geometry=[1, 2, 3, 4, 30]), cat(type="polygon", geometry=[[[1, 2, 3, 4, 5, 6]]])
    _, problems = written(FileRecord("a.jpg", None, [turned, polygon]))
    assert [(p.code, p.instance, p.dropped_instances) for p in problems] == [("type-not-carried", ID, 1)] * 2
