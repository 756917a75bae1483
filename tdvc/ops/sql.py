"""A state as tables for other engines: SQL through DuckDB, and Arrow, Polars and pandas.

    files      one row a file; `file` is its number
    instances  one row an instance; `file` is the number of its file
    labels     one row a label of the schema
    commits    one row a commit of the directory's history, newest first

The columns are those of the cache (`tdvc.columns`), used where they lie. DuckDB gets them in a database of its own in
memory, which is locked before the query is seen: it reads no file, loads no extension, reaches no network and knows no
variable of the program. The engines are extras, imported when they are asked for.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tdvc.columns.arrays import column
from tdvc.columns.layout import arrow
from tdvc.columns.store import ColumnStore
from tdvc.errors import Refused, Usage
from tdvc.ops.libraries import library
from tdvc.repo.commit import ancestors
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository
from tdvc.storage.folder import FolderWriter

_CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_VIEWS = {
    "files": "file, path, lower(hex(file_id)) as file_id, lower(hex(blob)) as blob, size_bytes, "
    "instance_count as instances, complete > 0 as complete, media_type, properties, said_width, said_height, splits",
    "instances": "file, lower(hex(instance_id)) as instance_id, label, type, x0, y0, x1, y1, area, score, frame, "
    "sequence, source, attributes, properties, geometry",
    "labels": "*",
    "commits": "*",
}
_PIECE_BYTES = 1 << 20


class Tables(NamedTuple):
    """A state as tables of one engine."""

    files: Any
    instances: Any
    labels: Any
    commits: Any


@dataclass(frozen=True, slots=True)
class SqlResult:
    """What a query found.

    Attributes:
        columns: their names.
        table: all of it, as an Arrow table.
    """

    columns: tuple[str, ...]
    table: Any

    def rows(self) -> Iterator[list[Any]]:
        """The rows, in values that JSON knows."""
        for batch in self.table.to_batches():
            columns = [batch.column(position).to_pylist() for position in range(batch.num_columns)]
            yield from ([_plain(value) for value in row] for row in zip(*columns, strict=True))

    def write_parquet(self, file: Path) -> int:
        """Write all of it as a new Parquet file; returns its bytes. Raises Refused (checkout-in-the-way)."""
        if file.exists():
            raise Refused("checkout-in-the-way", f"{str(file)!r} is there already.", path=str(file))
        sink = io.BytesIO()
        importlib.import_module("pyarrow.parquet").write_table(self.table, sink)
        content = sink.getbuffer()
        pieces = (bytes(content[first : first + _PIECE_BYTES]) for first in range(0, len(content), _PIECE_BYTES))
        writer = FolderWriter(str(file.absolute().parent))
        try:
            writer.write(file.name, pieces, new=True)
        finally:
            writer.close()
        return len(content)


def sql(repository: Repository, query: str, revision: str | None = None) -> SqlResult:
    """Ask a state in SQL, as DuckDB speaks it.

    Args:
        repository: the repository.
        query: one statement that gives rows.
        revision: which state; the current directory for None.

    Raises:
        NotFound: unknown-revision.
        Usage: bad-sql.
        FormatError: library-missing.
    """
    connection = to_duckdb(repository, revision)
    engine = library("duckdb")
    try:
        kinds = [statement.type for statement in connection.extract_statements(query)]
        if kinds != [engine.StatementType.SELECT]:
            raise Usage("bad-sql", "A query is one statement that gives rows: write a single SELECT.")
        table = connection.sql(query).to_arrow_table()
    except engine.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip(" ^")]
        raise Usage(
            "bad-sql", f"DuckDB says: {' '.join(lines)[:400]}.", hint=f"Tables: {', '.join(_VIEWS)}."
        ) from error
    finally:
        connection.close()
    names = _unlike(table.column_names)
    return SqlResult(names, table.rename_columns(list(names)))


def _unlike(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, with a number behind those that were there already."""
    found: dict[str, None] = {}
    for name in names:
        free = (f"{name}_{number}" for number in count(2))
        found[name if name not in found else next(other for other in free if other not in found)] = None
    return tuple(found)


def to_duckdb(repository: Repository, revision: str | None = None) -> Any:
    """A connection to a closed DuckDB database with the tables of a state.

    Raises:
        NotFound: unknown-revision.
        FormatError: library-missing.
    """
    connection = library("duckdb").connect(":memory:", config=dict(_CLOSED))
    for name, table in to_arrow(repository, revision)._asdict().items():
        connection.register(f"_{name}", table)
        connection.execute(f"create view {name} as select {_VIEWS[name]} from _{name}")  # noqa: S608 (our own words)
    connection.execute("set lock_configuration = true")
    return connection


def to_arrow(repository: Repository, revision: str | None = None) -> Tables:
    """The tables of a state, as pyarrow has them; ids are bytes.

    Raises:
        NotFound: unknown-revision.
        Corruption: a page is missing or damaged.
    """
    name = revision if revision is not None else repository.view.current
    state = repository[name]
    found = ColumnStore(repository).of(state).tables()
    pa = arrow()
    files = found.files.add_column(0, "file", column(np.arange(found.files.num_rows), pa.int64()))
    return Tables(files, found.instances, _labels(state), _commits(repository, name, state))


def to_polars(repository: Repository, revision: str | None = None) -> Tables:
    """The same as Polars data frames. Raises NotFound, Corruption, FormatError (library-missing)."""
    engine = library("polars")
    return Tables(*(engine.from_arrow(table) for table in to_arrow(repository, revision)))


def to_pandas(repository: Repository, revision: str | None = None) -> Tables:
    """The same as pandas data frames. Raises NotFound, Corruption, FormatError (library-missing)."""
    library("pandas")
    return Tables(*(table.to_pandas() for table in to_arrow(repository, revision)))


def _labels(state: Directory) -> Any:
    pa = arrow()
    labels = state.schema.in_order()
    texts = {
        name: [getattr(label, name) for label in labels] for name in ("key", "name", "parent", "colour", "description")
    }
    arrays = {name: column(values, pa.string()) for name, values in texts.items()}
    arrays["index"] = column([label.index for label in labels], pa.int64())
    arrays["aliases"] = column([label.aliases for label in labels], pa.list_(pa.string()))
    arrays["deprecated"] = column([label.deprecated for label in labels], pa.bool_())
    arrays["label"] = arrays.pop("key")
    names = ("label", "name", "index", "parent", "aliases", "colour", "deprecated", "description")
    return pa.table({name: arrays[name] for name in names})


def _commits(repository: Repository, name: str, state: Directory) -> Any:
    pa = arrow()
    ref = repository.view.directories.get(name)
    found = list(ancestors(repository.objects, ref.commit if ref else state.commit))
    texts = {
        "commit": [identity.hex() for identity, _ in found],
        **{
            field: [getattr(commit, field) for _, commit in found]
            for field in ("directory", "author", "time", "message")
        },
        "root": [commit.root.hex() for _, commit in found],
    }
    arrays = {field: column(values, pa.string()) for field, values in texts.items()}
    parents = [[parent.hex() for parent in commit.parents] for _, commit in found]
    return pa.table({**arrays, "parents": column(parents, pa.list_(pa.string()))})


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date | time_of_day):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
