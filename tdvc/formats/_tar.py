"""Tar archives as streams: each member's header, then its bytes, never a file on disk.

`tarfile` reads member names, sizes and extended headers of any length into memory, passes over damage in silence and
keeps every member it has seen; and its safety has needed mending again and again. What an archive of samples needs is
small: regular members with names, in order. Everything else is passed over with its name and kind; nothing is ever
extracted, so links and devices lead nowhere. What unpacks to more than `MAX_PICTURE_BYTES` a member is refused before
it is read.

Source: POSIX.1-2017 `pax`, ustar interchange format; GNU tar manual, long names.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from tdvc.formats._shards import MAX_PICTURE_BYTES

BLOCK_BYTES = 512
MAX_HEADER_BYTES = 1 << 20

_GZIP = b"\x1f\x8b"
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_END_BYTES = 2 * BLOCK_BYTES


class Member(NamedTuple):
    """A member of an archive."""

    name: str
    is_file: bool
    content: bytes
    """Empty where it is no regular file."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of an archive, unpacked on the way where it is packed with gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast(BinaryIO, unpacked)


def members(file: BinaryIO, limit_bytes: int = MAX_PICTURE_BYTES) -> Iterator[Member]:
    """Every member in order, none larger than the limit.

    Raises:
        ValueError: the archive is damaged, cut short or unpacks beyond all bounds from here on; the end of a sentence.
        OSError: it can't be read.
    """
    try:
        yield from _members(file, limit_bytes)
    except (tarfile.HeaderError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"is damaged: {error}") from error


def _members(file: BinaryIO, limit_bytes: int) -> Iterator[Member]:
    extended: dict[str, str] = {}
    while any(header := _read(file, BLOCK_BYTES)):
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        size = info.size
        is_extension = info.type in _EXTENSIONS
        if not is_extension and "size" in extended:
            size = int(extended["size"]) if extended["size"].isdigit() and len(extended["size"]) < 20 else -1
        if not 0 <= size <= (MAX_HEADER_BYTES if is_extension else limit_bytes):
            raise ValueError(f"has a member of {size:,} bytes, beyond {limit_bytes >> 20} MiB")
        content = _read(file, size)
        _read(file, -size % BLOCK_BYTES)
        if info.type == tarfile.XHDTYPE:
            extended = _records(content)
        elif info.type == tarfile.GNUTYPE_LONGNAME:
            extended = {"path": content.rstrip(b"\0").decode("utf-8", "surrogateescape")}
        elif not is_extension:
            is_file = info.type in _REGULAR and not any(key.startswith("GNU.sparse") for key in extended)
            yield Member(extended.get("path", info.name), is_file, content if is_file else b"")
            extended = {}


def _read(file: BinaryIO, size: int) -> bytes:
    content = file.read(size) if size else b""
    if len(content) < size:
        raise ValueError("ends before its end is marked, so it may have been cut short")
    return content


def _records(content: bytes) -> dict[str, str]:
    """The records of an extended header, `length key=value` and a newline each."""
    found: dict[str, str] = {}
    while content.rstrip(b"\0"):
        length, separator, _ = content[:20].partition(b" ")
        size = int(length) if separator and length.isdigit() else 0
        key, equals, value = content[len(length) + 1 : size - 1].partition(b"=")
        if not equals or size > len(content) or content[size - 1 : size] != b"\n":
            raise ValueError("has a damaged extended header")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        content = content[size:]
    return found


def packed(named: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """An archive of regular members, the same bytes for the same members."""
    for name, content in named:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        yield content
        yield bytes(-len(content) % BLOCK_BYTES)
    yield bytes(_END_BYTES)
