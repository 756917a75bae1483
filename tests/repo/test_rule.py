"""Rules as they are stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tdvc.errors import Corruption
from tdvc.ids import NO_ID, Kind, ObjectId
from tdvc.repo.rule import Rule, Seen, is_current, read_rule

IDS = [ObjectId(bytes([n]) * 32) for n in range(3)]
SEEN = Seen(IDS[0], IDS[1], {"Test": IDS[2], "v1": IDS[0]}, "2026-11-01T12:30:00.000000Z")
WHOLE = Rule("Main", "captured_at > now - 1 day", "size desc, path", 9, SEEN)


class Content:
    """A store with one object."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, kind: Kind, identity: ObjectId) -> bytes:
        assert kind is Kind.RULE
        return self._content


@pytest.mark.parametrize("rule", [WHOLE, Rule("Main", "size > 0"), Rule("M", "complete", seen=Seen(IDS[0], IDS[1]))])
def test_a_rule_is_stored_as_it_is(rule: Rule) -> None:
    assert read_rule(Content(rule.encode()), NO_ID) == rule


def test_the_bytes_are_canonical() -> None:
    assert Rule("Main", "size > 0", limit=2).encode() == b'{"limit":2,"order":"","source":"Main","where":"size > 0"}'


@pytest.mark.parametrize(
    "change",
    [
        {"source": 3},
        {"where": None},
        {"order": []},
        {"limit": "3"},
        {"limit": 0},
        {"limit": True},
        {"limit": 2.5},
        {"seen": None},
        {"seen": {}},
        {"seen": {"root": "zz", "schema": "0" * 64, "others": {}}},
        {"seen": {"root": "0" * 64, "schema": "0" * 64, "others": []}},
        {"seen": {"root": "0" * 64, "schema": "0" * 64, "others": {"a": 3}}},
        {"more": 1},
    ],
)
def test_what_says_nothing_understood_is_damage(change: dict[str, Any]) -> None:
    fields = {**json.loads(Rule("Main", "size > 0").encode()), **change}
    with pytest.raises(Corruption):
        read_rule(Content(json.dumps(fields).encode()), NO_ID)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-01", "2999-01-01T00:00:00Z", 3])
def test_a_time_that_is_none_holds_nothing_up(repository, time: Any) -> None:
    main = repository["Main"]
    old, fresh = (Rule("Main", "size > 0", seen=Seen(main.root, main.schema_id, {}, at)) for at in (time, None))
    assert not is_current(repository.objects, repository.view, old)
    assert is_current(repository.objects, repository.view, fresh)
