"""What must hold of a directory as a whole, and between the directories of one view.

A file is in a directory once; the table of paths says what the table of files says, the other way round; no path is
another one's folder; a mirrored file is equal wherever it is. Of each file 32 bytes are kept while this is found out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from tdvc.errors import Corruption
from tdvc.ids import ObjectId
from tdvc.ops.inspection import Inspection
from tdvc.repo.entry import FILES, PATHS
from tdvc.repo.view import DirectoryRef, View
from tdvc.tables.page import Row
from tdvc.tables.tree import Table

_SHOWN = 20


class _Files(NamedTuple):
    """A directory's files, in the order of their paths.

    Attributes:
        identities: (n,) `S16`, their file_ids.
        states: (n,) a hash of what each is.
        pairs: (n,) a hash of each file_id and its path.
    """

    identities: NDArray[np.bytes_]
    states: NDArray[np.uint64]
    pairs: NDArray[np.uint64]


def check_directories(inspection: Inspection, view: View) -> None:
    """Look at every directory of a view whose tables can be read."""
    known: list[tuple[str, _Files]] = []
    for name, ref in sorted(view.directories.items()):
        try:
            files = _files_of(inspection, name, ref)
        except (Corruption, UnicodeDecodeError):
            continue  # noted where the pages were looked at
        check_paths(inspection, name, ref, files)
        for other, theirs in known:
            _check_mirrors(inspection, (name, ref, files), other, theirs)
        known.append((name, files))


def check_state(inspection: Inspection, title: str, root: ObjectId) -> None:
    """Look at a committed state as a whole."""
    try:
        _files_of(inspection, title, DirectoryRef(root, root))
    except (Corruption, UnicodeDecodeError):
        return


def _files_of(inspection: Inspection, name: str, ref: DirectoryRef) -> _Files:
    identities, states, pairs = bytearray(), [], []
    for row in _clash_free(inspection, name, Table(inspection.repository.objects, FILES, ref.root).scan()):
        identities += row[1]
        states.append(_state_hash(row))
        pairs.append(_pair_hash(row[1], row[0]))
    files = _Files(np.frombuffer(bytes(identities), "S16"), np.array(states, "u8"), np.array(pairs, "u8"))
    found, counts = np.unique(files.identities, return_counts=True)
    for identity in found[counts > 1][:_SHOWN]:
        digits = bytes(identity).hex().ljust(32, "0")
        message = f"The file {digits} is at more than one path of {name}."
        inspection.add("file-twice", message, name)
    return files


def _state_hash(row: Row) -> int:
    parts = [value.to_bytes(8, "little") if isinstance(value, int) else value for value in row[1:]]
    return xxhash.xxh3_64_intdigest(b"\0".join(parts))


def _pair_hash(identity: bytes, path: bytes) -> int:
    return xxhash.xxh3_64_intdigest(identity + path)


def _clash_free(inspection: Inspection, name: str, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows as they come, while it is noted where one is in the folder that another one's path is."""
    beginnings: list[bytes] = []
    for row in rows:
        path = row[0]
        while beginnings and not path.startswith(beginnings[-1]):
            beginnings.pop()
        for shorter in beginnings:
            if path[len(shorter) : len(shorter) + 1] == b"/":
                folder = shorter.decode(errors="replace")
                inspection.add(
                    "folder-and-file", f"{folder!r} is a file, and the folder of others.", f"{name}:{folder}"
                )
        beginnings.append(path)
        yield row


def check_paths(inspection: Inspection, name: str, ref: DirectoryRef, files: _Files) -> None:
    """Look whether the table of paths is what follows from the files."""
    try:
        pairs = [_pair_hash(*row) for row in Table(inspection.repository.objects, PATHS, ref.paths).scan()]
    except Corruption:
        inspection.wrong_paths.append(name)
        return
    if len(pairs) != len(files.pairs) or not np.array_equal(np.sort(np.array(pairs, "u8")), np.sort(files.pairs)):
        wrong = len(np.setxor1d(np.array(pairs, "u8"), files.pairs))
        message = f"The table of paths of {name} does not fit its files in {wrong} places."
        inspection.add("paths-out-of-step", message, name)
        inspection.wrong_paths.append(name)


def _check_mirrors(inspection: Inspection, one: tuple[str, DirectoryRef, _Files], other: str, theirs: _Files) -> None:
    name, ref, ours = one
    _, mine, its = np.intersect1d(ours.identities, theirs.identities, return_indices=True)
    drifted = mine[ours.states[mine] != theirs.states[its]]
    if not len(drifted):
        return
    wanted = {int(pair) for pair in ours.pairs[drifted[:_SHOWN]]}
    more = f" (and {len(drifted) - _SHOWN} more)" if len(drifted) > _SHOWN else ""
    for row in Table(inspection.repository.objects, FILES, ref.root).scan():
        if _pair_hash(row[1], row[0]) in wanted:
            path = row[0].decode(errors="replace")
            message = f"The file {path!r} of {name} is another one in {other}{more}."
            inspection.add("mirror-drifted", message, f"{name}:{path}")


def users_of(inspection: Inspection, view: View) -> dict[ObjectId, list[str]]:
    """The `directory:path` of every file of a view that needs a lost blob or instance set."""
    users: dict[ObjectId, list[str]] = {}
    for name, ref in sorted(view.directories.items()):
        try:
            for row in Table(inspection.repository.objects, FILES, ref.root).scan():
                for identity in (row[2], row[4]):
                    if identity in inspection.lost:
                        users.setdefault(identity, []).append(f"{name}:{row[0].decode(errors='replace')}")
        except Corruption:
            continue
    return users
