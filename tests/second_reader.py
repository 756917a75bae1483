"""A second reader of the format, written from docs/format.md alone: nothing of tdvc is imported here.

It reads a snapshot: every file with its bytes and its instances. Each object is verified against its id.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash
import zstandard

KINDS = {"blob": 1, "instances": 2, "page": 3, "schema": 4, "commit": 5, "snapshot": 6, "view": 7, "operation": 8}
COLUMNS = (
    *(("key", 0), ("file_id", 16), ("blob", 32), ("size_bytes", 8), ("instances", 32), ("instance_count", 8)),
    *(("complete", 8), ("completeness_schema", 32), ("media_type", 0), ("properties", 0), ("origin", 0)),
)
INNER = (("key", 0), ("page", 32), ("rows", 8), ("size_bytes", 8), ("instance_count", 8), ("complete", 8))


class SecondReader:
    """Reads a `.tdvc` folder."""

    def __init__(self, folder: Path) -> None:
        assert (folder / "format").read_bytes() == b"tdvc 1 sha256\n"
        self.folder = folder
        self.places: dict[tuple[str, int], tuple[bytes, int, int, int]] = {}
        for pack in (folder / "packs").iterdir():
            content = pack.read_bytes()
            index, count, _, checksum, magic = struct.unpack("<QIIQ8s", content[-32:])
            assert (content[:8], magic) == (b"TDVCPACK", b"TDVCPEND")
            assert xxhash.xxh3_64_intdigest(content[index:-32]) == checksum
            for identity, kind, codec, _, stored, size, at in struct.iter_unpack(
                "<32sBBHIIQ", content[index + 1024 : -32]
            ):
                self.places[identity.hex(), kind] = content[at : at + stored], codec, size, count

    def read(self, kind: str, identity: str) -> bytes:
        """An object, verified."""
        if kind == "blob" and (self.folder / "blobs" / identity[:2] / identity).exists():
            content = (self.folder / "blobs" / identity[:2] / identity).read_bytes()
        else:
            stored, codec, size, _ = self.places[identity, KINDS[kind]]
            content = zstandard.ZstdDecompressor().decompress(stored) if codec else stored
            assert len(content) == size
        prefix = b"" if kind == "blob" else b"tdvc " + kind.encode() + b"\0"
        assert hashlib.sha256(prefix + content).hexdigest() == identity
        return content

    def rows(self, root: str) -> Iterator[dict[str, Any]]:
        """The rows of a `file` table."""
        content = self.read("page", root)
        magic, tag, level, count = struct.unpack_from("<8s4sB3xI", content)
        assert (magic, tag) == (b"TDVCPAGE", b"file")
        at, columns = 20, {}
        for name, width in INNER if level else COLUMNS:
            ends = [width * n for n in range(1, count + 1)] or []
            if not width:
                ends, at = list(struct.unpack_from(f"<{count}I", content, at)), at + 4 * count
            columns[name] = [content[at + a : at + b] for a, b in zip([0, *ends], ends, strict=False)]
            at += ends[-1] if ends else 0
        assert at == len(content)
        for position in range(count):
            row = {name: values[position] for name, values in columns.items()}
            yield from self.rows(row["page"].hex()) if level else [row]

    def snapshot(self, name: str) -> dict[str, tuple[str, bytes, list[dict[str, Any]]]]:
        """Path to file_id, bytes and instances."""
        (head,) = (self.folder / "heads").iterdir()
        view = json.loads(self.read("view", json.loads(self.read("operation", head.name))["view"]))
        commit = json.loads(self.read("commit", json.loads(self.read("snapshot", view["snapshots"][name]))["commit"]))
        found = {}
        for row in self.rows(commit["root"]):
            text = b"" if not any(row["instances"]) else self.read("instances", row["instances"].hex())
            instances = [json.loads(line) for line in text.splitlines()]
            assert len(instances) == int.from_bytes(row["instance_count"], "little")
            found[row["key"].decode()] = row["file_id"].hex(), self.read("blob", row["blob"].hex()), instances
        return found
