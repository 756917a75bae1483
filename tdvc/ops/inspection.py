"""One examination on its way: what was found, what was seen, and what it is to look at."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import xxhash

from tdvc.errors import Corruption
from tdvc.ids import NO_ID, Kind, ObjectId
from tdvc.objects.idset import IdSet
from tdvc.ops.findings import Finding, found
from tdvc.ops.progress import Progress, silent
from tdvc.repo.repository import Repository

QUICK, DEFAULT, FULL = "quick", "default", "full"
MODES = (QUICK, DEFAULT, FULL)


@dataclass
class Inspection:
    """What the parts of an examination share.

    Attributes:
        repository: what is examined.
        mode: one of `MODES`.
        sample: how many percent of the blobs are read, where not all are.
        progress: told how far it is.
        findings: what was found so far.
        needed: ids that something leads to.
        lost: objects that can't be read, and where in `findings` that stands.
        suspect: objects of which some copy is damaged.
        bad_packs: packs that are not as they should be.
        bad_singles: files of single blobs whose bytes are not what their name says.
        bad_caches: cache files that are not whole.
        stray_heads: names in `heads/` that are no operation's.
        wrong_paths: directories whose table of paths has to be made again.
        blobs: how many were looked at.
        read_blobs: how many of them were read and hashed.
        read_bytes: their length.
        metadata: how many other objects were read.
    """

    repository: Repository
    mode: str = DEFAULT
    sample: float = 0.0
    progress: Progress = silent
    findings: list[Finding] = field(default_factory=list)
    needed: IdSet = field(default_factory=IdSet)
    lost: dict[ObjectId, int] = field(default_factory=dict)
    suspect: set[tuple[Kind, ObjectId]] = field(default_factory=set)
    bad_packs: list[str] = field(default_factory=list)
    bad_singles: list[str] = field(default_factory=list)
    bad_caches: list[str] = field(default_factory=list)
    stray_heads: list[str] = field(default_factory=list)
    wrong_paths: list[str] = field(default_factory=list)
    blobs: int = 0
    read_blobs: int = 0
    read_bytes: int = 0
    metadata: int = 0
    _random: random.Random = field(default_factory=random.SystemRandom)
    _seen: set[int] = field(default_factory=set)

    def add(
        self, code: str, message: str, place: str, kind: Kind | None = None, identity: ObjectId | None = None
    ) -> None:
        """Note a finding."""
        self.findings.append(found(code, message, place, kind, identity))

    def first_time(self, *parts: bytes) -> bool:
        """Whether these parts were not asked about before. 64 bits of hash stand for them."""
        key = xxhash.xxh3_64_intdigest(b"\0".join(parts))
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def need(self, identities: Iterable[ObjectId]) -> None:
        """Something leads to these."""
        self.needed.add(identity for identity in identities if identity != NO_ID)

    def read(self, kind: Kind, identity: ObjectId, place: str) -> bytes | None:
        """An object; where it can't be read, that is noted once, and it is None."""
        self.need([identity])
        if identity in self.lost:
            return None
        self.metadata += 1
        try:
            content = self.repository.objects.read(kind, identity)
        except Corruption as error:
            self.lose(kind, identity, place, error)
            return None
        self.note_trash(kind, identity, place)
        return content

    def lose(self, kind: Kind, identity: ObjectId, place: str, error: Corruption) -> None:
        """An object can't be read."""
        if identity not in self.lost:
            self.lost[identity] = len(self.findings)
            self.add(error.code, error.message, place, kind, identity)

    def note_trash(self, kind: Kind, identity: ObjectId, place: str) -> None:
        """A needed object was found: where only the trash has it, that is noted."""
        objects = self.repository.objects
        listed = objects.size_bytes(kind, identity) is not None
        if not listed and self.first_time(b"trash", identity):
            what = f"{kind.name.lower()} {identity.hex()}"
            self.add("only-in-trash", f"The {what} is only in the trash.", place, kind, identity)

    def in_sample(self) -> bool:
        """Whether a blob is among those that are read and hashed here; a full examination has read them all before."""
        return self.mode != FULL and self.sample > 0 and self._random.random() * 100 < self.sample

    def name_users(self, identity: ObjectId, places: list[str]) -> None:
        """Say of a lost object who needs it."""
        at = self.lost[identity]
        self.findings[at] = replace(self.findings[at], used_by=tuple(places))
