"""What is to change, before it is clear to which view: the notes of one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tdvc.ids import FileId, ObjectId
from tdvc.repo.commit import Commit
from tdvc.repo.entry import FileState
from tdvc.repo.view import DirectoryRef


@dataclass(slots=True)
class Notes:
    """Changes by what they touch; names are those of directories.

    Attributes:
        members: by name and path, the file that is to be there, None for none.
        states: what files become, wherever they are held.
        new: those of them that no directory holds yet.
        labels: labels that come in.
        classes: what formats say of classes: the format's name, and the fields by label.
        created: new directories; with a ref where one goes by another name.
        clones: new directories that hold what another one holds.
        removed: directories that go, as they were.
        commits: commits that become a directory's last one.
        closing: commits of what these notes make of a directory; root and schema are filled in then.
        merges: merges that are under way from now on, None where one has ended.
        schemas: new schemas, for None the repository's; None for a directory that follows it again.
        rules: what directories follow from now on, None for nothing any more.
        held: directories that must not have changed.
        snapshots: new snapshots by name.
        current: the directory that commands use when none is named, where it is another one.
    """

    members: dict[str, dict[bytes, FileId | None]] = field(default_factory=dict)
    states: dict[FileId, FileState] = field(default_factory=dict)
    new: set[FileId] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    classes: list[tuple[str, Mapping[str, Mapping[str, Any]]]] = field(default_factory=list)
    created: dict[str, DirectoryRef | None] = field(default_factory=dict)
    clones: dict[str, str] = field(default_factory=dict)
    removed: dict[str, DirectoryRef] = field(default_factory=dict)
    commits: dict[str, ObjectId] = field(default_factory=dict)
    closing: dict[str, Commit] = field(default_factory=dict)
    merges: dict[str, ObjectId | None] = field(default_factory=dict)
    schemas: dict[str | None, ObjectId | None] = field(default_factory=dict)
    rules: dict[str, ObjectId | None] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    snapshots: dict[str, ObjectId] = field(default_factory=dict)
    current: str | None = None

    @property
    def changed(self) -> set[FileId]:
        """Files that are held somewhere and become something else."""
        return self.states.keys() - self.new
