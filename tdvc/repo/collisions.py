"""Whether notes that were made against one view may be applied to a newer one: nobody's work is overwritten.

They may, unless a row, a state or a ref that they touch is no longer what it was when they were made.
"""

from __future__ import annotations

from collections.abc import Iterator

from tdvc.errors import Conflict
from tdvc.ids import FileId
from tdvc.objects.store import ReadableObjects
from tdvc.repo.living import files_of, living_states, paths_of
from tdvc.repo.notes import Notes
from tdvc.repo.rule import readable_rule
from tdvc.repo.view import View

_SHOWN = 5


def refuse_collisions(objects: ReadableObjects, notes: Notes, before: View, now: View) -> None:
    """Raise Conflict (changed-meanwhile) where `now` differs from `before` in anything that the notes touch."""
    refs = {*_of_refs(notes, before, now), *_of_rules(objects, notes, now)}
    collisions = [*sorted(refs), *_of_files(objects, notes, before, now)]
    if collisions:
        shown = ", ".join(collisions[:_SHOWN]) + (", …" if len(collisions) > _SHOWN else "")
        raise Conflict(
            "changed-meanwhile",
            f"Another command changed the same things meanwhile: {shown}. Nothing was changed by this one.",
            hint="Run the command again.",
            collisions=collisions,
        )


def _of_files(objects: ReadableObjects, notes: Notes, before: View, now: View) -> Iterator[str]:
    for name, members in notes.members.items():
        then, today = before.directories.get(name), now.directories.get(name)
        if then is None or today is None or then.root == today.root:
            continue
        old, new = files_of(objects, then).get_many(members), files_of(objects, today).get_many(members)
        whole = slice(None) if name not in notes.rules else slice(2)  # a rule is about which files, not what they are
        same = {path for path in members if old.get(path, ())[whole] == new.get(path, ())[whole]}
        yield from (f"{name}:{path.decode()}" for path in members if path not in same)
    changed = notes.changed
    old_states, new_states = living_states(objects, before, changed), living_states(objects, now, changed)
    yield from _named(objects, before, [i for i in changed if old_states.get(i) != new_states.get(i)])
    brought_in = living_states(objects, now, notes.new)
    yield from _named(objects, now, [i for i, state in brought_in.items() if state != notes.states[i]])


def _named(objects: ReadableObjects, view: View, identities: list[FileId]) -> list[str]:
    """Files by a directory that holds them and their path there, those that none holds by their ids."""
    names: dict[bytes, str] = {}
    for name, ref in sorted(view.directories.items()):
        missing = [identity for identity in identities if identity not in names]
        found = paths_of(objects, ref).get_many(missing)
        names.update((identity, f"{name}:{path.decode()}") for identity, (_, path) in found.items())
    return sorted(names.get(identity, identity.hex()) for identity in identities)


def _of_refs(notes: Notes, before: View, now: View) -> Iterator[str]:
    yield from (name for name in notes.removed if before.directories.get(name) != now.directories.get(name))
    yield from (name for name in notes.created if name in now.directories)
    for name in notes.commits.keys() | notes.closing.keys() | notes.merges.keys():
        then, today = before.directories[name], now.directories.get(name)
        same = today is not None and (then.commit, then.merge) == (today.commit, today.merge)
        if not same or (name in notes.closing and (today is None or then.root != today.root)):
            yield name
    yield from (name for name in notes.rules if _followed_otherwise(notes, name, before, now))
    yield from (name for name in notes.held if before.directories[name] != now.directories.get(name))
    yield from (name for name in notes.members if name not in notes.created and name not in now.directories)
    yield from _of_schemas(notes, before, now)
    yield from _of_names(notes, now)


def _followed_otherwise(notes: Notes, name: str, before: View, now: View) -> bool:
    if name in notes.created:
        return False
    today = now.directories.get(name)
    return today is None or before.directories[name].rule != today.rule


def _of_rules(objects: ReadableObjects, notes: Notes, now: View) -> Iterator[str]:
    """Directories that a rule asks about and that would not be there."""
    for identity in notes.rules.values():
        rule = readable_rule(objects, identity) if identity is not None else None
        if rule is not None and rule.source not in now.directories and rule.source not in notes.created:
            yield rule.source
    for name, ref in now.directories.items() if notes.removed else ():
        if ref.rule is None or name in notes.removed or name in notes.rules:
            continue
        rule = readable_rule(objects, ref.rule)
        if rule is not None:
            yield from (gone for gone in notes.removed if rule.source == gone or rule.names(gone))


def _of_schemas(notes: Notes, before: View, now: View) -> Iterator[str]:
    if None in notes.schemas and before.schema != now.schema:
        yield "the schema"
    for name in before.directories:
        changed = name not in now.directories or before.schema_of(name) != now.schema_of(name)
        if name in notes.schemas and changed:
            yield f"the schema of {name}"


def _of_names(notes: Notes, now: View) -> Iterator[str]:
    given = now.snapshots.keys() | now.retired.keys()
    yield from notes.created.keys() & given
    yield from notes.snapshots.keys() & (given | now.directories.keys())
    current = notes.current or now.current
    if current not in notes.created and (current in notes.removed or current not in now.directories):
        yield current
