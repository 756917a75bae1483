"""Making directories hold just the files that something says they should: a split, a sample.

They hold mirrored files, at the paths of the directory that these come from. Running it again changes what differs and
nothing else. Directories that hold other files only are not taken over: that would empty them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tdvc.errors import Refused, Usage
from tdvc.ids import FileId
from tdvc.names import check_name
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Change:
    """How many files a directory gains and loses."""

    added: int
    removed: int


def held_files(
    repository: Repository, names: Iterable[str], source: Directory, among: Collection[FileId]
) -> list[dict[str, FileId]]:
    """What each of some directories holds, by path; nothing where there is none.

    Args:
        repository: the repository.
        names: the directories.
        source: where their files come from.
        among: the files that may be in them.

    Raises:
        Refused: directory-exists, where they hold files and none of those.
        Usage: bad-name; bad-usage, where one is the source itself.
    """
    found: dict[str, dict[str, FileId]] = {}
    for name in names:
        check_name(name, "directory")
        if name == source.name:
            raise Usage("bad-usage", f"{name} can't be a part of itself; choose another name.", name=name)
        known = name in repository.view.directories
        entries = repository.directory(name).entries() if known else ()
        found[name] = {entry.path: entry.state.file_id for entry in entries}
    strange = [name for name, held in found.items() if held and not any(file in among for file in held.values())]
    if strange and len(strange) == sum(map(bool, found.values())):
        raise Refused(
            "directory-exists",
            f"The directory {strange[0]} holds no file of {source.title}, so it is something else.",
            hint=f"Choose other names; or, where all its files have left: tdvc directory remove {strange[0]}",
            name=strange[0],
        )
    return list(found.values())


def hold_just(edit: Transaction, name: str, held: Mapping[str, FileId], wanted: Mapping[str, Entry]) -> Change:
    """Note what makes a directory, which is made where it is missing, hold just these files."""
    if not edit.knows_directory(name):
        edit.create_directory(name)
    coming = {path: entry for path, entry in wanted.items() if held.get(path) != entry.state.file_id}
    living = edit.living(entry.state.file_id for entry in coming.values())
    for path in held.keys() - wanted.keys():
        edit.take_out(name, path)
    for path, entry in coming.items():
        if entry.state.file_id in living:
            edit.place(name, path, entry.state.file_id)
        else:
            edit.put(name, path, entry.state)
    before, after = set(held.values()), {entry.state.file_id for entry in wanted.values()}
    return Change(len(after - before), len(before - after))


def keep_from_changing(edit: Transaction, names: Iterable[str]) -> None:
    """Publish only if the directories among these that there are stay as they are until then."""
    edit.hold(name for name in names if name in edit.view.directories)
