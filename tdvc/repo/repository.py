"""A repository, opened: where it is stored, what its head shows, and who is at work.

    .tdvc/format    "tdvc 1 sha256": which version wrote this; anything else is refused before a byte is written
    .tdvc/heads/    the last operation (`oplog`)
    .tdvc/packs/    objects (`objects.pack`); .tdvc/blobs/ for those of 8 MiB and more
    .tdvc/cache/    can be deleted at any time
    .tdvc/tmp/      files being written; .tdvc/lock

Nothing in it is an absolute path, so the folder can be moved and copied.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

from tdvc.errors import Corruption, NoRepository, NotFound, Refused
from tdvc.ids import Kind, ObjectId
from tdvc.model.schema import Schema
from tdvc.names import check_name
from tdvc.objects.store import ObjectStore
from tdvc.repo import oplog
from tdvc.repo.commit import utc_now
from tdvc.repo.directory import Directory
from tdvc.repo.entry import FILES, PATHS
from tdvc.repo.revision import resolve
from tdvc.repo.rule import circular
from tdvc.repo.transaction import Transaction
from tdvc.repo.view import DirectoryRef, Operation, View, read_operation, read_view
from tdvc.storage.base import Storage
from tdvc.storage.local import LocalStorage, make_folder
from tdvc.tables.edit import empty

FOLDER = ".tdvc"
FORMAT = b"tdvc 1 sha256\n"


class Repository:
    """A repository. Make one with `Repository.init` or `Repository.open`.

    Attributes:
        storage: where its bytes are.
        objects: its objects.
        author: who commits and operations are by.
        path: the folder that holds `.tdvc`, None for a repository in memory.
        keep_up: brings a dynamic directory up to date, by name, whenever its staged state is asked for, and gives what
            it holds, where that may not be published; None for never, so that it is shown as it last was.
    """

    def __init__(self, storage: Storage, *, author: str, path: Path | None = None) -> None:
        self.storage = storage
        self.objects = ObjectStore(storage)
        self.author = author
        self.path = path
        self._views: dict[ObjectId, View] = {}
        self._stays = False
        self._moment: ObjectId | None = None
        self.keep_up: Callable[[Repository, str], DirectoryRef | None] | None = None
        self._keeping_up: set[str] = set()
        self._answers: dict[str, DirectoryRef] = {}

    @classmethod
    def init(cls, path: Path, *, author: str, directory: str = "Main", durable: bool = True) -> Repository:
        """Create a repository in the folder `path`, which is made where it is missing.

        Raises:
            Refused: repository-exists.
        """
        check_name(directory, "directory")
        folder = path / FOLDER
        if folder.is_symlink() or folder.is_file() or _formatted(folder):
            raise _exists_already(path)
        make_folder(str(folder.absolute()), durable=durable)
        repository = cls(LocalStorage(folder, durable=durable), author=author, path=path)
        repository.start(directory)
        return repository

    def start(self, directory: str = "Main") -> None:
        """Write the first operation into empty storage: one empty directory. The format file comes last."""
        check_name(directory, "directory")
        with self.objects.writer() as writer:
            ref = DirectoryRef(empty(writer, FILES), empty(writer, PATHS))
            view = View(directory, writer.put(Kind.SCHEMA, Schema().encode()), {directory: ref})
            view_id = writer.put(Kind.VIEW, view.encode())
            operation = Operation(view_id, None, "init", self.author, utc_now())
            identity = writer.put(Kind.OPERATION, operation.encode())
            writer.publish()
            with self.storage.lock(30.0):
                if self._has_format():
                    raise _exists_already(self.path)
                oplog.move_head(self.storage, oplog.heads(self.storage), identity)
                self.storage.create("format", FORMAT)

    def _has_format(self) -> bool:
        try:
            self.storage.size("format")
        except FileNotFoundError:
            return False
        return True

    @classmethod
    def open(cls, path: Path, *, author: str, durable: bool = True, any_format: bool = False) -> Repository:
        """Open the repository in `path` or in the nearest folder above it.

        Args:
            path: where to begin.
            author: who commits and operations are by.
            durable: wait for the disk.
            any_format: whether one with a damaged format file is opened too, for `fsck`.

        Raises:
            NoRepository: no-repository.
            Corruption: repository-format.
        """
        for place in (path.absolute(), *path.absolute().parents):
            folder = place / FOLDER
            if folder.is_dir() and (_formatted(folder) or (folder / "packs").is_dir()):
                repository = cls(LocalStorage(folder, durable=durable), author=author, path=place)
                if not any_format:
                    repository.check_format()
                return repository
        raise NoRepository(
            "no-repository", f"There is no repository in {path} or above.", hint="tdvc init", path=str(path)
        )

    def check_format(self) -> None:
        """Raise Corruption (repository-format) where another version wrote this, or none."""
        try:
            found = self.storage.read("format")
        except FileNotFoundError:
            found = b""
        if found != FORMAT:
            text = found[:60].decode(errors="replace").strip()
            raise Corruption(
                "repository-format",
                f"The repository's format is {text!r}; this version of tdvc knows {FORMAT.decode().strip()!r} only.",
                hint="Use the version of tdvc that wrote it." if text else "The creation was cut short: tdvc init",
            )

    # reading

    def head(self) -> ObjectId:
        """The last operation."""
        return oplog.head(self.storage, self.objects)

    def view_of(self, operation: ObjectId) -> View:
        """The view that an operation made."""
        view = self._views.get(operation)
        if view is None:
            view = read_view(self.objects, read_operation(self.objects, operation).view)
            self._views = {operation: view}
        return view

    def at_one_moment(self) -> Self:
        """From the first look on, answer from that moment, whatever others publish meanwhile.

        For what asks more than once and must not mix two states: a command. What is changed through this repository is
        checked against that moment, and the moment moves on to it.
        """
        self._stays = True
        return self

    def moment(self) -> ObjectId:
        """The operation whose view this repository shows: the last one, unless it stays at one moment."""
        if not self._stays:
            return self.head()
        if self._moment is None:
            self._moment = self.head()
        return self._moment

    def move_on(self, operation: ObjectId) -> None:
        """This repository has published an operation and shows it from now on."""
        self._moment = operation
        self._answers = {}

    @property
    def view(self) -> View:
        """Every ref as it is now, or as it was at the moment that this repository stays at."""
        return self.view_of(self.moment())

    def __getitem__(self, revision: str) -> Directory:
        """The state that a revision means. Raises NotFound, Usage."""
        return resolve(self.objects, self._view_for(revision), revision)

    def directory(self, name: str | None) -> Directory:
        """The staged state of a living directory, the current one for None. Raises NotFound (directory-not-found)."""
        view = self.view
        name = view.current if name is None else name
        if name not in view.directories:
            known = f"Known: {', '.join(sorted(view.directories)[:10])}."
            raise NotFound(
                "directory-not-found",
                f"There is no directory named {name!r}.",
                hint=known if set(name) & set("@~:^{}") else f"{known} tdvc directory create {name}",
                name=name,
            )
        return self[name]

    def as_it_was(self, name: str) -> Directory:
        """The staged state of a living directory, not brought up to date where it is dynamic."""
        return resolve(self.objects, self.view, name)

    def _view_for(self, name: str) -> View:
        """The view, in which a directory of that name is up to date with what it follows."""
        view = self.view
        ref = view.directories.get(name)
        if ref is None or ref.rule is None or self.keep_up is None:
            return view
        answer = self._answers.get(name) if self._stays else None
        if answer is None:
            answer = self._answer(self.keep_up, name)
            view = self.view
        return view if answer is None else replace(view, directories={**view.directories, name: answer})

    def _answer(self, keep_up: Callable[[Repository, str], DirectoryRef | None], name: str) -> DirectoryRef | None:
        if name in self._keeping_up:
            raise circular(name)
        self._keeping_up.add(name)
        try:
            answer = keep_up(self, name)
        finally:
            self._keeping_up.discard(name)
        if answer is not None:
            self._answers[name] = answer
        return answer

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.view.directories))

    # changing

    def transaction(self, why: str, *, follows: bool = False) -> Transaction:
        """Begin to change something; `why` goes into the list of operations.

        Args:
            why: what was asked for, in one line.
            follows: whether it only brings a dynamic directory up to date.
        """
        return Transaction(self, why, follows=follows)


def _exists_already(path: Path | None) -> Refused:
    return Refused("repository-exists", f"There is a repository in {path} already.", path=str(path))


def _formatted(folder: Path) -> bool:
    return os.path.lexists(folder / "format")
