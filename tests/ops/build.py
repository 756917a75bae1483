"""What the tests of the verbs build their repositories with."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import TdvcError
from tdvc.ids import FileId, Kind, ObjectId
from tdvc.model.records import fields_of, make_instance
from tdvc.objects.pack import PackReader
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository

JPEG = b"\xff\xd8\xff\xe0" + b"a picture of sorts" + b"\xff\xd9"


def jpeg(content: str) -> bytes:
    """Bytes that begin and end like a JPEG, different for different `content`."""
    return b"\xff\xd8\xff\xe0" + content.encode() + b"\xff\xd9"


def identity(number: int) -> str:
    """An instance id that a reader of the test recognises."""
    return f"{number:032x}"


def box(label: str = "dog", at: tuple[Any, ...] = (0, 0, 10, 10), number: int | None = None, **fields: Any) -> dict:
    made = {"label": label, "type": "box", "geometry": list(at), **fields}
    if number is not None:
        made["instance_id"] = identity(number)
    return made


def stock(repository: Repository, directory: str, files: Mapping[str, Any]) -> None:
    """Put files into a directory: path to bytes, or to (bytes, instances)."""
    given = {path: value if isinstance(value, tuple) else (value, []) for path, value in files.items()}
    with repository.transaction("stock") as edit:
        if not edit.knows_directory(directory):
            edit.create_directory(directory)
        blobs = [(path, edit.writer.put(Kind.BLOB, content)) for path, (content, _) in given.items()]
        for (path, blob), file_id in zip(blobs, edit.fresh_ids(directory, blobs), strict=True):
            content, instances = given[path]
            set_id, count = edit.write_instances([make_instance(fields) for fields in instances])
            media = b"image/jpeg" if content.startswith(b"\xff\xd8\xff") else b""
            edit.put(directory, path, FileState(file_id, blob, len(content), set_id, count, media_type=media))


def held(repository: Repository, revision: str) -> dict[str, tuple[bytes, list[str]]]:
    """All a state holds: path to (bytes, instances as text)."""
    return {file.path: (file.read(), [spelled(i) for i in file.instances]) for file in repository[revision]}


def spelled(instance: Any) -> str:
    """An instance as text, numbers as they are stored."""
    shown = {
        key: bytes(value).decode() if key in ("geometry", "attributes", "properties", "score") else value
        for key, value in fields_of(instance).items()
    }
    return json.dumps(shown, sort_keys=True)


def labels(repository: Repository, revision: str, path: str) -> list[str]:
    """The labels of a file's instances, sorted."""
    return sorted(instance.label for instance in repository[revision][path].instances)


def lines(*edits: Mapping[str, Any] | str) -> io.BytesIO:
    """An edits file."""
    text = "".join((edit if isinstance(edit, str) else json.dumps(edit)) + "\n" for edit in edits)
    return io.BytesIO(text.encode())


def stored_blobs(repository: Repository) -> dict[ObjectId, int]:
    """Every blob in the packs and its size: what is really stored, whatever a result says."""
    storage = repository.storage
    packs = [PackReader(storage, f"packs/{name}") for name in storage.names("packs")]
    return {
        identity: place.size_bytes for pack in packs for kind, identity, place in pack.entries() if kind is Kind.BLOB
    }


def operation_count(repository: Repository) -> int:
    from tdvc.repo import oplog

    return sum(1 for _ in oplog.history(repository.objects, repository.head()))


def file_id(repository: Repository, revision: str, path: str) -> FileId:
    return repository[revision].entry(path).state.file_id


@contextlib.contextmanager
def fails(kind: type[TdvcError], code: str) -> Iterator[pytest.ExceptionInfo[TdvcError]]:
    """The block fails with that class and code, and one sentence that ends."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.code == code
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


@contextlib.contextmanager
def unchanged(repository: Repository) -> Iterator[None]:
    """Nothing is published in the block."""
    before = repository.head()
    yield
    assert repository.head() == before


def write_tree(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Real files below a folder."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def read_tree(folder: Path) -> dict[str, bytes]:
    """All regular files below a folder."""
    return {
        str(place.relative_to(folder)): place.read_bytes()
        for place in sorted(folder.rglob("*"))
        if place.is_file() and not place.is_symlink()
    }
