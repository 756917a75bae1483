"""Pictures of an export that share their bytes with files which are there already, instead of being written again.

Two kinds of files can be shared: those of a folder that the user names (a checkout, or where the pictures came from),
and the large blobs that are single files in the store. A picture of the folder counts only if its size and SHA-256 are
those of the blob; it is looked at again once it is linked, so a file that changed meanwhile is copied instead.

A clone (copy-on-write, where the file system can) is tried first: nothing that happens to it reaches the other file. A
hard link is one file under two names, and a tool that writes into it changes the user's picture; that is what they ask
for by naming the folder. The store's own files are never given away so, not even by way of a checkout that is linked to
them: a damaged blob would be damaged for every directory. There are no symbolic links: they break when the folder
moves, and tdvc itself would not follow them when the export is imported.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from tdvc.ids import ObjectId
from tdvc.repo.entry import Entry
from tdvc.repo.repository import FOLDER, Repository
from tdvc.storage.folder import FileChanged, FolderWriter, Found, look, read_pieces


class Original(NamedTuple):
    """A file that holds just what an entry should: where it is, how it looked, and its bytes."""

    path: str
    found: Found
    content: bytes


def original_of(folder: Path, entry: Entry) -> Original | None:
    """The file of an entry in a folder, by its path there; None where it is not there or not the same."""
    path = f"{folder}/{entry.path}"
    try:
        found = look(path)
        if found is None or found.size_bytes != entry.state.size_bytes:
            return None
        content = b"".join(read_pieces(path, found))
    except (OSError, FileChanged):
        return None
    return Original(path, found, content) if hashlib.sha256(content).digest() == entry.state.blob else None


def link_original(repository: Repository, original: Original, blob: ObjectId, writer: FolderWriter, place: str) -> bool:
    """Put a clone of a file, or else a hard link to it, into a folder; whether that went well."""
    if _linked(writer, place, original, reflink=True):
        return True
    return not _is_stored(repository, original, blob) and _linked(writer, place, original, reflink=False)


def clone_stored(repository: Repository, blob: ObjectId, writer: FolderWriter, place: str) -> bool:
    """Put a clone of a large blob's own file into a folder; whether that went well. It must have been verified."""
    stored = _stored_path(repository, blob)
    if stored is None:
        return False
    try:
        writer.link(place, stored, reflink=True)
    except OSError:
        return False
    return True


def _linked(writer: FolderWriter, place: str, original: Original, *, reflink: bool) -> bool:
    try:
        writer.link(place, original.path, reflink=reflink)
    except OSError:
        return False
    if _holds_still(original):
        return True
    writer.remove(place)
    return False


def _holds_still(original: Original) -> bool:
    """Whether the file is as it was when it was read; a link to it changes its ctime."""
    try:
        now = look(original.path)
    except OSError:
        return False
    return now is not None and now._replace(ctime_ns=0) == original.found._replace(ctime_ns=0)


def _is_stored(repository: Repository, original: Original, blob: ObjectId) -> bool:
    """Whether a file is the store's own, under another name."""
    stored = _stored_path(repository, blob)
    return stored is not None and os.path.samefile(stored, original.path)


def _stored_path(repository: Repository, blob: ObjectId) -> str | None:
    name = repository.objects.single_file(blob)
    if name is None or repository.path is None:
        return None
    return f"{repository.path}/{FOLDER}/{name}"
