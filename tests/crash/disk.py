"""What a disk may hold after a power cut, by a model that is weaker than any real file system.

* The bytes of a file last once the file was synced after they were written; a sync vouches for what was written before
  it began, and only once it has ended.
* A name lasts once the folder that holds it was synced. Until then it may be there or not, whatever became of others.
* Of a rename the new name may last before the old one goes, never the other way round.
* Bytes that do not last yet may be missing, be zeros, or be torn at a sector.

`Disk` takes a log of what a program did (`recorder`) and builds the trees that may be found after any of its moments.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

SECTOR_BYTES = 512
LOSSES = ("missing", "zeros", "torn")
_FOREVER = 1 << 60
_FOLDER = -1
_LATEST = 6
_TRIED_IN_FULL = 5

Half = tuple[int, str]
Tree = dict[str, bytes | None]
"""Paths to contents, None for folders."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done to the disk.

    Attributes:
        kind: file, folder, write, cut, rename, link, remove, sync, sync-folder, done.
        path: the name that appears; of a rename, a removal and a synced folder the one it had before.
        target: the new name of a rename or link.
        node: the file, whatever its name.
        offset: where bytes were written, or the length that a cut leaves.
        content: the bytes.
        covers: the event at which a sync began.
    """

    kind: str
    path: str = ""
    target: str = ""
    node: int = _FOLDER
    offset: int = 0
    content: bytes = b""
    covers: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """What of the things that did not last is there all the same, and how the bytes of files look."""

    kept: frozenset[Half]
    bytes_lost: Mapping[int, str]


class Disk:
    """All trees that may be found after the moments of a log."""

    def __init__(self, log: Sequence[Event]) -> None:
        self.log = log
        self._lasts_from = self._durability()
        self._contents: dict[tuple[int, int, str], bytes] = {}

    def _durability(self) -> dict[Half, int]:
        """For every name and every write, the moment from which it lasts."""
        waiting: list[tuple[Half, str]] = []
        found: dict[Half, int] = {}
        for moment, event in enumerate(self.log):
            if event.kind in ("sync", "sync-folder"):
                synced = f"node {event.node}" if event.kind == "sync" else f"in {event.path}"
                for half, place in waiting:
                    if place == synced and half[0] < event.covers:
                        found[half] = moment
                waiting = [(half, place) for half, place in waiting if half not in found]
            else:
                waiting += [((moment, what), place) for what, place in _touched(event)]
        found.update((half, _FOREVER) for half, _ in waiting)
        return found

    def volatile(self, moment: int) -> list[Half]:
        """What was done before a moment and does not last yet."""
        return [half for half, since in self._lasts_from.items() if half[0] < moment <= since]

    def tree(self, moment: int, loss: Loss) -> Tree:
        """What is found after a power cut at a moment."""
        names: dict[str, int] = {}
        lost = set(self.volatile(moment)) - loss.kept
        for number, event in enumerate(self.log[:moment]):
            added = (number, "add") not in lost
            if event.kind in ("file", "folder") and added:
                names[event.path] = event.node
            elif event.kind in ("rename", "link") and added:
                names[event.target] = event.node
            if (event.kind == "remove" or (event.kind == "rename" and added)) and (number, "drop") not in lost:
                names.pop(event.path, None)
        tree: Tree = {}
        for path in sorted(names):
            parent = os.path.dirname(path)
            if not parent or tree.get(parent, b"") is None:
                node = names[path]
                tree[path] = None if node == _FOLDER else self._content(node, moment, loss.bytes_lost.get(node, ""))
        return tree

    def _content(self, node: int, moment: int, lost: str) -> bytes:
        key = (node, moment if lost else self._last_write(node, moment), lost)
        if key not in self._contents:
            self._contents[key] = self._written(node, moment, lost)
        return self._contents[key]

    def _last_write(self, node: int, moment: int) -> int:
        numbers = (n for n in range(moment - 1, -1, -1) if self.log[n].node == node and self.log[n].kind != "sync")
        return next(numbers, -1)

    def _written(self, node: int, moment: int, lost: str) -> bytes:
        content = bytearray()
        for number, event in enumerate(self.log[:moment]):
            if event.node != node or event.kind not in ("write", "cut"):
                continue
            gone = bool(lost) and self._lasts_from[number, "bytes"] >= moment
            if gone and lost == "missing":
                break
            if event.kind == "cut":
                del content[event.offset :]
                continue
            piece = event.content
            if gone:
                kept = len(piece) // 2 // SECTOR_BYTES * SECTOR_BYTES if lost == "torn" else 0
                piece = piece[:kept] + bytes(len(piece) - kept)
            content.extend(bytes(max(0, event.offset - len(content))))
            content[event.offset : event.offset + len(piece)] = piece
        return bytes(content)

    def losses(self, moment: int, most: int, dice: random.Random) -> Iterator[Loss]:
        """What may be lost at a moment: the extremes, each thing alone, then all subsets or as many as `most`."""
        volatile = self.volatile(moment)
        names = [half for half in volatile if half[1] != "bytes"]
        nodes = sorted({self.log[number].node for number, what in volatile if what == "bytes"})
        everything = frozenset(names)
        yield Loss(everything, {})
        if not volatile:
            return
        for how in LOSSES if nodes else ("missing",):
            yield Loss(everything, dict.fromkeys(nodes, how))
            yield Loss(frozenset(), dict.fromkeys(nodes, how))
        for half in names[-_LATEST:]:
            yield Loss(everything - {half}, {})
            yield Loss(frozenset({half}), dict.fromkeys(nodes, dice.choice(LOSSES)))
        if len(names) <= _TRIED_IN_FULL:
            for count in range(len(names) + 1):
                for kept in itertools.combinations(names, count):
                    yield Loss(frozenset(kept), {node: dice.choice(("", *LOSSES)) for node in nodes})
        for _ in range(most):
            kept = tuple(half for half in names if dice.random() < 0.5)
            yield Loss(frozenset(kept), {node: dice.choice(("", *LOSSES)) for node in nodes})


def _touched(event: Event) -> list[tuple[str, str]]:
    """What an event changes, and what must be synced for it to last."""
    if event.kind in ("write", "cut"):
        return [("bytes", f"node {event.node}")]
    if event.kind in ("file", "folder"):
        return [("add", f"in {os.path.dirname(event.path)}")]
    if event.kind == "link":
        return [("add", f"in {os.path.dirname(event.target)}")]
    if event.kind == "rename":
        return [("add", f"in {os.path.dirname(event.target)}"), ("drop", f"in {os.path.dirname(event.path)}")]
    if event.kind == "remove":
        return [("drop", f"in {os.path.dirname(event.path)}")]
    return []
