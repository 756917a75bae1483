"""A state as tables for SQL: sql."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import click

from tdvc.cli import output
from tdvc.cli.command import command, complete_revisions, json_option, open_repository
from tdvc.errors import Usage
from tdvc.names import printable


@command(
    'tdvc sql "select label, count(*) from instances group by 1"',
    'tdvc sql "select path, area from instances join files using (file) order by 2 desc limit 10" v1 --csv',
    'tdvc sql "select * from instances" v1 --parquet instances.parquet',
)
@click.argument("query")
@click.argument("revision", required=False, metavar="[REV]", shell_complete=complete_revisions)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FILE", help="Write a new Parquet file.")
@json_option
def sql(query: str, revision: str | None, as_csv: bool, parquet: Path | None, as_json: bool) -> int:
    """Ask a state in SQL.

    QUERY is a SELECT as DuckDB understands it, over the tables files, instances, labels and commits of REV, a
    directory, snapshot or commit; the current directory where it is left out. Their columns are in docs/query.md. The
    query reads nothing else: no file, no network. Needs the extra tdvc[sql].
    """
    from tdvc.ops.sql import sql as verb

    if as_csv + as_json + (parquet is not None) > 1:
        raise Usage("bad-usage", "Choose one of --json, --csv and --parquet.")
    result = verb(open_repository(), query, revision)
    if parquet is not None:
        size = result.write_parquet(parquet)
        written = output.plural(result.table.num_rows, "row")
        return output.report(
            None, [f"Wrote {written} to {printable(str(parquet))} ({output.human_size(size)})."], False
        )
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows(result.rows())
        return 0
    if as_json:
        return output.report_each((dict(zip(result.columns, row, strict=True)) for row in result.rows()), str, True)
    numeric = [at for at, field in enumerate(result.table.schema) if str(field.type).startswith(_NUMERIC)]
    rows = [tuple(map(printable, result.columns)), *(tuple(map(_cell, row)) for row in result.rows())]
    output.write_lines(output.table(rows, right=tuple(numeric)))
    return 0


_NUMERIC = ("int", "uint", "double", "float", "decimal")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(
        value if isinstance(value, str) else output.one_line(value) if isinstance(value, list | dict) else str(value)
    )
