import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.formats import _yaml

ULTRALYTICS = """# COCO8
path: ../datasets/coco8 # dataset root
train: images/train
test:

kpt_shape: [17, 3] # x, y, visible
flip_idx:
  [0, 2, 1,
   4, 3]
names:
  0: person
  1: no
  10: "a: #b"
download: |
  import os
  x: 1
"""


def test_a_data_set_is_read_with_every_scalar_as_text():
    assert _yaml.read(ULTRALYTICS.encode()) == {
        "path": "../datasets/coco8",
        "train": "images/train",
        "test": None,
        "kpt_shape": ["17", "3"],
        "flip_idx": ["0", "2", "1", "4", "3"],
        "names": {"0": "person", "1": "no", "10": "a: #b"},
        "download": "import os\nx: 1",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# nothing", None),
        ("---\na: 1", {"a": "1"}),
        ("\ufeffa: 1\r\nb: 2\r\n", {"a": "1", "b": "2"}),
        ("a:\n- x\n- y z\nb: c", {"a": ["x", "y z"], "b": "c"}),
        ("a:\n  - x\n  -\n", {"a": ["x", None]}),
        ("a: ['it''s', \"t\\u00e4b\\t\", dog's,\n  long\n  name]", {"a": ["it's", "täb\t", "dog's", "long name"]}),
        ('{"a":{"b": [1]}, c : d}', {"a": {"b": ["1"]}, "c": "d"}),
        ("a: b\n  c\nd: e", {"a": "b c", "d": "e"}),
        ("a:\n  b:\n    c: 1\n  d: 2", {"a": {"b": {"c": "1"}, "d": "2"}}),
        ("url: http://x/y#z", {"url": "http://x/y#z"}),
    ],
)
def test_the_shapes_it_knows(text, expected):
    assert _yaml.read(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!python/object/apply:os.system [x]", "a tag"),
        ("a: &x 1", "an anchor"),
        ("a: [*x]", "an alias"),
        ("<<: {a: 1}", "merges keys"),
        ("a: 1\na: 2", "twice"),
        ("{a: 1, a: 2}", "twice"),
        ("a:\n\tb: 1", "tab"),
        ("a: [1, 2", "before its brackets"),
        ("a: {b}", "without a value"),
        ("a: 'x", "not closed"),
        ('a: "\\ud800"', "escape"),
        ("a:\n  b: 1\n c: 2", "deeper"),
        ("a: 1\n---\nb: 2", "line 2"),
        ("- a\n- b: c", "line 2"),
        ("[" * 1000, "deeper than"),
        ("\n".join(" " * depth + "a:" for depth in range(1000)), "deeper than"),
    ],
)
def test_what_is_dangerous_or_not_understood_is_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        _yaml.read(text.encode())


def test_text_that_is_not_utf8_is_refused():
    with pytest.raises(ValueError, match="byte 3"):
        _yaml.read(b"a: \xff")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_quoted_reads_back(text):
    written = _yaml.quoted(text)
    assert "\n" not in written
    assert _yaml.read(f"names:\n  0: {written}\n  1: [{written}]\n".encode()) == {"names": {"0": text, "1": [text]}}


@pytest.mark.parametrize("text", ["no", "True", "~", "1", "1e3", "", " a", "a: b", "- a", "null", "#a", "a\nb"])
def test_what_other_readers_would_take_for_something_else_is_quoted(text):
    assert _yaml.quoted(text).startswith('"')
