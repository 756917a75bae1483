"""The rule that a dynamic directory follows: which files of another directory it holds, said as a query.

A rule also says what it was last answered for. While that is what the repository shows, the directory is up to date;
where only the source's table differs, only the rows that differ have to be asked again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tdvc.errors import Corruption, Refused
from tdvc.ids import Kind, ObjectId, canonical_json
from tdvc.objects.store import ObjectStore, ReadableObjects
from tdvc.repo.commit import id_from, malformed, read_fields, utc_now
from tdvc.repo.revision import resolve
from tdvc.repo.view import View

ASKED_AGAIN_AFTER = timedelta(minutes=1)
"""How long an answer holds that depends on when it is asked."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule was answered for.

    Attributes:
        root: the source's table of files.
        schema: the schema that the source went by.
        others: roots of the other states that the query names, by revision.
        time: when, where the answer depends on that; None otherwise.
    """

    root: ObjectId
    schema: ObjectId
    others: Mapping[str, ObjectId] = field(default_factory=dict)
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Which files a directory holds.

    Attributes:
        source: the directory whose files are asked, by name.
        where: the query.
        order: by what they are ranked, for `limit`, such as `captured_at desc`; by path where it is empty.
        limit: how many of the first are taken; None for all.
        seen: what it was last answered for; None before the first time.
    """

    source: str
    where: str
    order: str = ""
    limit: int | None = None
    seen: Seen | None = None

    @property
    def text(self) -> str:
        """The rule in one line, as options of `directory create`."""
        order = f' --order "{self.order}"' if self.order else ""
        limit = f" --limit {self.limit}" if self.limit is not None else ""
        return f'--from {self.source} --where "{self.where}"{order}{limit}'

    def names(self, directory: str) -> bool:
        """Whether the query speaks of a directory or its commits, as far as is known from the last answer."""
        return self.seen is not None and directory in map(directory_of, self.seen.others)

    def encode(self) -> bytes:
        """The canonical bytes."""
        fields: dict[str, Any] = {"order": self.order, "source": self.source, "where": self.where}
        if self.limit is not None:
            fields["limit"] = self.limit
        if self.seen is not None:
            fields["seen"] = _seen_fields(self.seen)
        return canonical_json(fields)


def _seen_fields(seen: Seen) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "others": {name: root.hex() for name, root in seen.others.items()},
        "root": seen.root.hex(),
        "schema": seen.schema.hex(),
    }
    return fields if seen.time is None else fields | {"time": seen.time}


def read_rule(objects: ReadableObjects, identity: ObjectId) -> Rule:
    """A rule by its id. Raises Corruption."""
    fields = read_fields(objects, Kind.RULE, identity)
    try:
        rule = Rule(
            source=fields["source"],
            where=fields["where"],
            order=fields["order"],
            limit=fields.get("limit"),
            seen=_seen_from(fields["seen"]) if "seen" in fields else None,
        )
        if rule.encode() != canonical_json(fields) or not _is_plain(rule):
            raise malformed(Kind.RULE, identity)
        return rule
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise malformed(Kind.RULE, identity) from error


def readable_rule(objects: ReadableObjects, identity: ObjectId) -> Rule | None:
    """A rule by its id; None where it is missing or damaged."""
    try:
        return read_rule(objects, identity)
    except Corruption:
        return None


def _is_plain(rule: Rule) -> bool:
    texts = all(isinstance(text, str) for text in (rule.source, rule.where, rule.order))
    return texts and (rule.limit is None or (type(rule.limit) is int and rule.limit > 0))


def _seen_from(fields: Mapping[str, Any]) -> Seen:
    return Seen(
        root=id_from(fields["root"]),
        schema=id_from(fields["schema"]),
        others={name: id_from(root) for name, root in fields["others"].items()},
        time=fields.get("time"),
    )


def circular(name: str) -> Refused:
    """What is raised where a rule asks, by way of others, for the directory that it is of."""
    return Refused(
        "rule-circular",
        f"What {name} follows asks for {name} itself.",
        hint=f"tdvc directory rule {name} --drop",
        name=name,
    )


def directory_of(revision: str) -> str:
    """The directory that a revision such as `Dogs@` or `Dogs~2` speaks of."""
    return re.split("[@~]", revision, maxsplit=1)[0]


def is_current(objects: ObjectStore, view: View, rule: Rule, *, timed: bool = True) -> bool:
    """Whether the last answer to a rule still holds.

    Args:
        objects: the repository's.
        view: what it shows.
        rule: the rule, with what it was answered for.
        timed: whether the answer to a query that says `now` grows old.

    Raises:
        NotFound, Usage: for another state that the query names.
    """
    seen, source = rule.seen, rule.source
    if seen is None or source not in view.directories:
        return False
    if timed and seen.time is not None and not _is_fresh(seen.time):
        return False
    if (view.directories[source].root, view.schema_of(source)) != (seen.root, seen.schema):
        return False
    return all(resolve(objects, view, name).root == root for name, root in seen.others.items())


def _is_fresh(time: str) -> bool:
    try:
        age = datetime.fromisoformat(utc_now()) - datetime.fromisoformat(time)
    except (TypeError, ValueError):  # no time, or one without a zone: as good as long ago
        return False
    return timedelta() <= age < ASKED_AGAIN_AFTER
