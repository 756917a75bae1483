"""Packs, blobs in files of their own, caches and settings: what can be examined without knowing what leads to it."""

from __future__ import annotations

from collections.abc import Callable

from tdvc.columns.store import ColumnStore
from tdvc.errors import Corruption, FormatError, StorageFailure
from tdvc.ids import Kind, ObjectId
from tdvc.objects.packcheck import PackReport, examine
from tdvc.objects.sweep import pack_names, single_names
from tdvc.ops.inspection import FULL, QUICK, Inspection
from tdvc.ops.picturehashes import damaged_hashes
from tdvc.ops.pictures import Pictures
from tdvc.ops.statcache import StatCache
from tdvc.repo import config


def check_packs(inspection: Inspection) -> None:
    """Look at every pack: its index and footer, its records, and the content of metadata, or of all objects."""
    verified = _verified(inspection.mode)
    names = pack_names(inspection.repository.storage)
    for done, name in enumerate(names):
        inspection.progress("packs", done, len(names))
        note_pack(inspection, examine(inspection.repository.storage, inspection.repository.objects, name, verified))


def _verified(mode: str) -> Callable[[Kind], bool] | None:
    if mode == QUICK:
        return None
    return lambda kind: mode == FULL or kind is not Kind.BLOB


def note_pack(inspection: Inspection, report: PackReport) -> None:
    """What was found out about a pack."""
    if report:
        inspection.bad_packs.append(report.name)
    if report.problems:
        inspection.add("pack-damaged", f"The pack {report.name} {'; '.join(report.problems[:5])}.", report.name)
    for kind, identity in report.damaged:
        inspection.suspect.add((kind, identity))
        if _intact_elsewhere(inspection, kind, identity):
            message = f"A copy of {kind.name.lower()} {identity.hex()} is damaged; another one is not."
            inspection.add("copy-damaged", message, report.name, kind, identity)


def _intact_elsewhere(inspection: Inspection, kind: Kind, identity: ObjectId) -> bool:
    try:
        for _ in inspection.repository.objects.read_blob(identity) if kind is Kind.BLOB else ():
            pass
        if kind is not Kind.BLOB:
            inspection.repository.objects.read(kind, identity)
    except Corruption:
        return False
    return True


def note_useless(inspection: Inspection) -> None:
    """Damaged objects that nothing leads to, after everything that is needed was looked at."""
    for kind, identity in sorted(inspection.suspect):
        if identity not in inspection.lost and not _intact_elsewhere(inspection, kind, identity):
            message = f"The stored bytes of {kind.name.lower()} {identity.hex()}, which nothing needs, are damaged."
            inspection.add("copy-damaged", message, "the store", kind, identity)


def check_singles(inspection: Inspection) -> None:
    """Read and hash every blob in a file of its own."""
    repository = inspection.repository
    for name in single_names(repository.storage):
        identity = ObjectId(bytes.fromhex(name.rpartition("/")[2]))
        try:
            for _ in repository.objects.read_single(identity):
                pass
        except (Corruption, StorageFailure):
            inspection.bad_singles.append(name)
            inspection.suspect.add((Kind.BLOB, identity))


def check_caches(inspection: Inspection) -> None:
    """Look at everything under `cache/`."""
    repository = inspection.repository
    names = [*ColumnStore(repository).damaged(), *Pictures(repository).damaged(), *damaged_hashes(repository)]
    for name in repository.storage.names("cache/stat"):
        if not StatCache.is_whole(repository.storage.read(f"cache/stat/{name}")):
            names.append(f"cache/stat/{name}")
    for name in names:
        inspection.bad_caches.append(name)
        inspection.add("cache-damaged", f"The file {name} is not whole.", name)


def check_config(inspection: Inspection) -> None:
    """Look at the settings."""
    try:
        config.read_config(inspection.repository.storage)
    except (FormatError, StorageFailure) as error:
        inspection.add("config-damaged", error.message, config.NAME)
