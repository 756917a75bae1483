"""A merge under way, stored: what goes in comes out, what is damaged is said to be."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tdvc.errors import Corruption, Refused, Usage
from tdvc.ids import NO_ID, FileId, Kind, ObjectId
from tdvc.repo import merge as merges
from tdvc.repo.entry import Entry, FileState
from tdvc.repo.merge import Merge, MergeConflict, file_from, file_value, read_merge

IDS = [ObjectId(bytes([number]) * 32) for number in range(6)]
LABEL = MergeConflict("a#1.jpg", "ab" * 16, "0" * 32, "label", None, msgspec.Raw(b'"dog"'), msgspec.Raw(b'"cat"'))
SCORE = MergeConflict("b.jpg", "ab" * 16, "0" * 32, "score", msgspec.Raw(b"0.50"), None, msgspec.Raw(b"1e-3"))
SCHEMA = MergeConflict("", "", "", "schema:labels.dog.name", msgspec.Raw(b"null"))
WHOLE = Merge("Alice", IDS[1], IDS[2], (IDS[3], IDS[4]), (LABEL, SCORE, SCHEMA), IDS[0], IDS[5])


class Content:
    """A store with one object."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, kind: Kind, identity: ObjectId) -> bytes:
        assert kind is Kind.MERGE
        return self._content


@pytest.mark.parametrize("merge", [WHOLE, Merge("v1", None, IDS[1])])
def test_a_merge_is_stored_as_it_is(merge: Merge) -> None:
    assert read_merge(Content(merge.encode()), NO_ID) == merge


def test_the_bytes_are_canonical_and_numbers_keep_their_spelling() -> None:
    content = Merge("v1", None, IDS[1], conflicts=(SCORE,)).encode()
    assert content == (
        b'{"bases":[],"conflicts":[{"base":0.50,"field":"score","file_id":"' + b"ab" * 16 + b'","instance_id":"'
        b'00000000000000000000000000000000","path":"b.jpg","theirs":1e-3}],"revision":"v1","theirs":"'
        + IDS[1].hex().encode()
        + b'"}'
    )


def test_what_is_resolved_is_left_out() -> None:
    assert WHOLE.without([LABEL, SCHEMA]).conflicts == (SCORE,)


def test_addresses_say_where() -> None:
    assert [found.address for found in WHOLE.conflicts] == [
        f"a#1.jpg#{'0' * 32}.label",
        f"b.jpg#{'0' * 32}.score",
        "schema:labels.dog.name",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"theirs": "ab"},
        {"theirs": 3},
        {"bases": "ab"},
        {"bases": [None]},
        {"conflicts": {}},
        {"conflicts": [3]},
        {"conflicts": [{"path": "a"}]},
        {"conflicts": [{"path": 1, "field": "label", "file_id": "", "instance_id": ""}]},
        {"revision": 3},
        {"ours": "zz"},
    ],
)
def test_what_says_nothing_understood_is_damage(change: dict[str, Any]) -> None:
    fields = {**json.loads(Merge("v1", IDS[0], IDS[1]).encode()), **change}
    with pytest.raises(Corruption):
        read_merge(Content(json.dumps(fields).encode()), NO_ID)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_damage(content: bytes) -> None:
    with pytest.raises(Corruption):
        read_merge(Content(content), NO_ID)


def test_there_is_an_end_to_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merges, "MAX_CONFLICTS", 2)
    with pytest.raises(Refused) as caught:
        WHOLE.encode()
    assert caught.value.code == "too-many-conflicts"
    monkeypatch.setattr(merges, "MAX_CONFLICTS", 3)
    monkeypatch.setattr(merges, "MAX_BYTES", 100)
    with pytest.raises(Refused):
        WHOLE.encode()


FILE = Entry(
    "a/b.jpg", FileState(FileId(b"f" * 16), IDS[1], 12, IDS[2], 3, 1, IDS[3], b"image/jpeg", b'{"a":1.0}', b"")
)


def test_a_file_is_a_value_too() -> None:
    assert file_from(file_value(FILE)) == FILE


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../b.jpg"},
        {"path": 3},
        {"blob": "ab"},
        {"blob": "zz" * 32},
        {"size_bytes": -1},
        {"size_bytes": 1 << 70},
        {"size_bytes": "x"},
        {"more": 1},
        {"media_type": "zz"},
    ],
)
def test_a_value_that_is_no_file_is_refused(change: dict[str, Any]) -> None:
    fields = {**json.loads(bytes(file_value(FILE))), **change}
    with pytest.raises((ValueError, Usage)):
        file_from(msgspec.Raw(json.dumps(fields).encode()))
