"""`fsck`: is everything there, whole, and as the rules of the format say?

What can be looked at by itself comes first: settings, packs, caches. Then the head, and everything that it leads to.
A finding never ends the search. How much is read depends on the mode:

    quick     the head and its refs, the staged tables, which blobs are listed, the indexes of packs
    default   all history, every instance set, every record of every pack and the bytes of all metadata, caches
    full      the bytes of all blobs too, and snapshots as wholes

Memory: 32 bytes for each file of the directories, some more for each different object; never the objects themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tdvc.errors import Usage
from tdvc.ids import Kind
from tdvc.objects.packcheck import ids_in, listed
from tdvc.objects.sweep import pack_names, single_names
from tdvc.ops.findings import Finding
from tdvc.ops.fsckhistory import HistoryCheck
from tdvc.ops.fsckstore import check_caches, check_config, check_packs, check_singles, note_useless
from tdvc.ops.inspection import DEFAULT, FULL, MODES, QUICK, Inspection
from tdvc.ops.progress import Progress, silent
from tdvc.ops.repairing import Repair
from tdvc.repo.repository import FORMAT, Repository

_ANOTHER_FORMAT = re.compile(rb"tdvc \d+ [a-z0-9]+\n").fullmatch


@dataclass(slots=True)
class FsckResult:
    """What was looked at, what was found, and what was done about it.

    Attributes:
        mode: how much was read.
        findings: what is wrong; after a repair, what is left.
        packs: how many there are.
        objects: how many are in the store, each copy counted.
        needed_objects: how many different ones something leads to.
        unneeded_objects: copies that nothing leads to; gc removes them, and nothing is wrong with that.
        blobs: different ones that files of the examined states hold.
        read_blobs: how many of them were read and hashed.
        read_bytes: their length.
        repairs: what `repair` did or would do, a sentence each.
    """

    mode: str
    findings: list[Finding] = field(default_factory=list)
    packs: int = 0
    objects: int = 0
    needed_objects: int = 0
    unneeded_objects: int = 0
    blobs: int = 0
    read_blobs: int = 0
    read_bytes: int = 0
    repairs: Sequence[str] = ()

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)


def fsck(
    repository: Repository,
    *,
    mode: str = DEFAULT,
    sample: float | None = None,
    repair: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> FsckResult:
    """Examine a repository, and mend it where that is asked for.

    Args:
        repository: the repository; `Repository.open` with `any_format` opens one whose format file is damaged.
        mode: `quick`, `default` or `full`.
        sample: read and hash this many percent of the blobs too, chosen at random.
        repair: mend what can be mended. Nothing that can be read becomes unreadable, and nothing is deleted but caches
            and what dead processes left: what is damaged is moved to `quarantine/`.
        dry_run: with `repair`, only say what would be done.
        progress: told how far it is.

    Raises:
        Usage: bad-usage, for a mode or share that is none.
        Corruption: repository-format, where another version of tdvc wrote it.
    """
    if mode not in MODES:
        raise Usage("bad-usage", f"There is no mode {mode!r} of fsck.", hint=", ".join(MODES))
    if sample is not None and not 0 <= sample <= 100:
        raise Usage("bad-usage", f"{sample:g} is not a share from 0 to 100 percent.")
    inspection = _examined(repository, mode, sample or 0.0, progress)
    if not repair:
        return _result(inspection)
    repairs = Repair(inspection, dry_run=dry_run)
    repairs.store()
    if not dry_run:
        inspection = _examined(repository, mode, 0.0, progress)
        repairs.take(inspection)
    repairs.refs()
    if not dry_run:
        inspection = _examined(repository, mode, sample or 0.0, progress)
    result = _result(inspection)
    result.repairs = repairs.done
    repository.objects.refresh()
    return result


def _examined(repository: Repository, mode: str, sample: float, progress: Progress) -> Inspection:
    fresh = Repository(repository.storage, author=repository.author, path=repository.path)
    inspection = Inspection(fresh, mode, sample, progress)
    _check_format(inspection)
    check_config(inspection)
    check_packs(inspection)
    if mode != QUICK:
        check_caches(inspection)
    if mode == FULL:
        check_singles(inspection)
    HistoryCheck(inspection).run()
    note_useless(inspection)
    return inspection


def _check_format(inspection: Inspection) -> None:
    """The format file; what another version wrote, or nobody finished, is none of our business."""
    repository = inspection.repository
    try:
        content = repository.storage.read("format")
    except FileNotFoundError:
        content = b""
    if content == FORMAT:
        return
    if _ANOTHER_FORMAT(content) or not any(True for _ in listed(repository.storage, Kind.OPERATION)):
        repository.check_format()
    inspection.add("format-damaged", f"The file format holds {content[:40]!r} and not {FORMAT!r}.", "format")


def _result(inspection: Inspection) -> FsckResult:
    storage, needed = inspection.repository.storage, inspection.needed
    result = FsckResult(inspection.mode, inspection.findings)
    result.blobs, result.read_blobs = inspection.blobs, inspection.read_blobs
    result.read_bytes, result.needed_objects = inspection.read_bytes, len(needed)
    names = pack_names(storage)
    singles = [bytes.fromhex(name.rpartition("/")[2]) for name in single_names(storage)]
    result.packs = len(names)
    for identities in (*(ids_in(storage, name) for name in names), np.array(singles, "S32")):
        result.objects += len(identities)
        if inspection.mode != QUICK:
            result.unneeded_objects += int((~needed.contains(identities)).sum())
    return result
