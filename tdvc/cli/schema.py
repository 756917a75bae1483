"""The schema: what labels mean, and how that changes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tdvc.cli import output
from tdvc.cli.command import (
    command,
    complete_directories,
    complete_revisions,
    dry_run_option,
    epilog,
    json_option,
    open_repository,
)
from tdvc.cli.schematext import change_lines, json_changes, log_lines, result_lines, schema_lines, stats_lines
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.evolution import SchemaResult

_own_option = click.option(
    "-d",
    "--directory",
    metavar="NAME",
    shell_complete=complete_directories,
    help="Change the schema that this directory has for its own, not the repository's.",
)
_revision = click.argument("revision", required=False, shell_complete=complete_revisions)


def _done(result: SchemaResult, as_json: bool, dry_run: bool = False) -> int:
    return output.report(result, result_lines(result, dry_run), as_json, changes=json_changes(result.changes))


@click.group(invoke_without_command=True, epilog=epilog("tdvc schema", "tdvc schema rename dog Hound"))
@json_option
@click.pass_context
def schema(ctx: click.Context, as_json: bool) -> int:
    """Show and change what labels mean.

    The repository has one schema; a directory can have its own (tdvc schema use). Every change is one operation, and
    one commit in each directory that goes by the schema and has nothing staged. Without a command it is shown.
    """
    return _show(None, as_json) if ctx.invoked_subcommand is None else 0


@command("tdvc schema show", "tdvc schema show v1 --json", group=schema)
@_revision
@json_option
def show(revision: str | None, as_json: bool) -> int:
    """Show the schema of a state.

    REVISION is a directory, snapshot or commit; the repository's schema where it is left out.
    """
    return _show(revision, as_json)


def _show(revision: str | None, as_json: bool) -> int:
    from tdvc.ops.schema import show_schema

    shown = show_schema(open_repository(), revision)
    if as_json:
        from msgspec import Raw

        return output.report(shown, (), True, schema=Raw(shown.schema.encode()))
    return output.report(shown, schema_lines(shown), False)


@command("tdvc schema export schema.toml", "tdvc schema export --json-schema schema.schema.json", group=schema)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("-r", "--revision", metavar="REV", shell_complete=complete_revisions, help="The schema of this state.")
@click.option("-t", "--type", "file_type", type=click.Choice(("toml", "json")), help="By the file's name, else TOML.")
@click.option(
    "--json-schema", is_flag=True, help="Write the JSON Schema of such files, by which editors complete them."
)
def export(file: Path | None, revision: str | None, file_type: str | None, json_schema: bool) -> int:
    """Write the schema as a file for people.

    To FILE, or to standard output where it is left out.
    """
    if json_schema:
        from tdvc.model.schemajson import json_schema_text

        text = json_schema_text()
    else:
        from tdvc.ops.schema import export_schema

        by_name = "json" if file is not None and file.suffix == ".json" else "toml"
        text = export_schema(open_repository(), revision, file_type=file_type or by_name)
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, encoding="utf-8")
    return 0


@command("tdvc schema import schema.toml --dry-run", "tdvc schema import schema.toml", name="import", group=schema)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_own_option
@dry_run_option
@json_option
def import_(file: Path, directory: str | None, dry_run: bool, as_json: bool) -> int:
    """Make a file the schema.

    FILE is TOML or JSON. A label that the file lacks goes, unless instances have it: then nothing is changed.
    """
    from tdvc.ops.schema import import_schema

    return _done(import_schema(open_repository(), file, directory, dry_run=dry_run), as_json, dry_run)


@command("tdvc schema edit", group=schema)
@_own_option
@json_option
def edit(directory: str | None, as_json: bool) -> int:
    """Edit the schema in your editor.

    The editor is that of VISUAL or EDITOR. What makes no sense is refused, and what you wrote is kept in a file.
    """
    import tempfile

    from tdvc.errors import TdvcError
    from tdvc.ops.schema import export_schema, import_schema

    repository = open_repository()
    text = export_schema(repository, directory)
    file = Path(tempfile.mkdtemp(prefix="tdvc-")) / "schema.toml"
    file.write_text(text, encoding="utf-8")
    click.edit(filename=str(file))
    try:
        result = import_schema(repository, file, directory)
    except TdvcError as error:
        hint = f"What you wrote is kept: tdvc schema import {file}"
        raise type(error)(error.code, error.message, hint=hint, **error.fields) from error
    file.unlink()
    file.parent.rmdir()
    return _done(result, as_json)


@command("tdvc schema add dog --name Dog --parent animal --type box=default --type polygon", group=schema)
@click.argument("key")
@click.option("--name", metavar="TEXT", help="What people see; the key where it is left out.")
@click.option("--parent", metavar="LABEL", help="Key of the wider label.")
@click.option("--colour", metavar="#RRGGBB", help="How it is drawn.")
@click.option("--description", metavar="TEXT", help="One line for people.")
@click.option("--alias", "aliases", multiple=True, metavar="TEXT", help="Another name that means it on import.")
@click.option("--type", "types", multiple=True, metavar="TYPE[=POLICY]", help="A spatial type that is allowed.")
@click.option("--attribute", "attributes", multiple=True, metavar="KEY", help="An attribute that is asked of it.")
@_own_option
@json_option
def add(key: str, directory: str | None, as_json: bool, types: tuple[str, ...], **said: Any) -> int:
    """Add a label.

    KEY is what instances hold, for good. POLICY is allowed, default or denied.
    """
    from tdvc.ops.schema import add_label

    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items() if value}
    if types:
        fields["types"] = {name: policy or "allowed" for name, _, policy in (text.partition("=") for text in types)}
    return _done(add_label(open_repository(), key, directory, fields=fields), as_json)


@command("tdvc schema rename dog Hound", "tdvc schema rename --option state red 'Red light'", group=schema)
@click.argument("key")
@click.argument("name")
@click.option("--attribute", "is_attribute", is_flag=True, help="KEY is that of an attribute.")
@click.option("--option", "attribute", metavar="ATTRIBUTE", help="KEY is that of an option of this attribute.")
@_own_option
@json_option
def rename(key: str, name: str, is_attribute: bool, attribute: str | None, directory: str | None, as_json: bool) -> int:
    """Give a label, attribute or option another name.

    Its key stays, so no instance changes, and old commits and snapshots keep the old name.
    """
    from tdvc.ops import schema as verbs

    if attribute is not None:
        return _done(verbs.rename_option(open_repository(), attribute, key, name, directory), as_json)
    verb = verbs.rename_attribute if is_attribute else verbs.rename_label
    return _done(verb(open_repository(), key, name, directory), as_json)


@command("tdvc schema deprecate dog", "tdvc schema deprecate dog --undo", group=schema)
@click.argument("label")
@click.option("-u", "--undo", is_flag=True, help="It may be given again.")
@_own_option
@json_option
def deprecate(label: str, undo: bool, directory: str | None, as_json: bool) -> int:
    """Mark a label as not to be given any more."""
    from tdvc.ops.schema import deprecate_label

    return _done(deprecate_label(open_repository(), label, directory, undo=undo), as_json)


@command("tdvc schema guide dog", "tdvc schema guide dog dog.md", group=schema)
@click.argument("label", required=False)
@click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_own_option
@json_option
def guide(label: str | None, file: Path | None, directory: str | None, as_json: bool) -> int:
    """Print what annotators are told about a label, or write it.

    With FILE, which is Markdown (- for standard input), that becomes the guide. Without LABEL, all guides are printed.
    """
    from tdvc.ops.schema import guides, set_guide

    repository = open_repository()
    if label is not None and file is not None:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return _done(set_guide(repository, label, text, directory), as_json)
    found = guides(repository, label, directory)
    lines = (f"# {printable(name)}\n\n{text.rstrip()}\n" for name, text in found.items())
    return output.report(found, lines if label is None else found.values(), as_json)


@command("tdvc schema merge puppy whelp dog", "tdvc schema merge puppy dog --dry-run", group=schema)
@click.argument("labels", nargs=-1, required=True, metavar="OLD... NEW")
@_own_option
@dry_run_option
@json_option
def merge(labels: tuple[str, ...], directory: str | None, dry_run: bool, as_json: bool) -> int:
    """Make one label of several.

    Instances of the OLD labels become instances of NEW. The old names stay as aliases, for imports to come.
    """
    from tdvc.ops.schemachange import merge_labels

    result = merge_labels(open_repository(), labels[:-1], labels[-1], directory, dry_run=dry_run)
    return _done(result, as_json, dry_run)


@command(
    "tdvc schema split 'Traffic light' --by state",
    "tdvc schema split light --by state --into red=Red --into green=Green",
    "tdvc schema split light --where state=red Red",
    group=schema,
)
@click.argument("label")
@click.option("--by", metavar="ATTRIBUTE", help="Each option of this attribute becomes a label.")
@click.option("--into", multiple=True, metavar="ANSWER=LABEL", help="Name the label for an answer of --by.")
@click.option("--where", multiple=True, nargs=2, metavar="ATTRIBUTE=ANSWER LABEL", help="A condition and its label.")
@_own_option
@dry_run_option
@json_option
def split(
    label: str,
    by: str | None,
    into: tuple[str, ...],
    where: tuple[tuple[str, str], ...],
    directory: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make several labels of one.

    What an instance answers decides which it gets. Those that no condition fits are left as they are, and listed.
    """
    from tdvc.ops.schemachange import split_label

    if (by is None) == (not where) or (into and by is None):
        raise click.UsageError("Name --by, maybe with --into, or --where.")
    targets = dict(where) or {answer: target for answer, _, target in (text.partition("=") for text in into)}
    result = split_label(open_repository(), label, by, targets, directory, dry_run=dry_run)
    return _done(result, as_json, dry_run)


@command("tdvc schema delete puppy --to dog", "tdvc schema delete unicorn", group=schema)
@click.argument("label")
@click.option("--to", metavar="LABEL", help="What its instances become.")
@_own_option
@dry_run_option
@json_option
def delete(label: str, to: str | None, directory: str | None, dry_run: bool, as_json: bool) -> int:
    """Take a label out of the schema.

    Refused while instances have it, unless --to says what becomes of them. Old commits and snapshots keep it.
    """
    from tdvc.ops.schemachange import delete_label

    return _done(delete_label(open_repository(), label, to, directory, dry_run=dry_run), as_json, dry_run)


@command("tdvc schema move-attribute breed animal dog", name="move-attribute", group=schema)
@click.argument("attribute")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@_own_option
@dry_run_option
@json_option
def move_attribute(
    attribute: str, source: str, target: str, directory: str | None, dry_run: bool, as_json: bool
) -> int:
    """Ask an attribute of another label.

    FROM and TO are labels. Answers that instances have are kept, and listed as to do.
    """
    from tdvc.ops.schemachange import move_attribute as verb

    return _done(verb(open_repository(), attribute, source, target, directory, dry_run=dry_run), as_json, dry_run)


@command("tdvc schema change-type dog polygon box", name="change-type", group=schema)
@click.argument("label")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@_own_option
@dry_run_option
@json_option
def change_type(label: str, source: str, target: str, directory: str | None, dry_run: bool, as_json: bool) -> int:
    """Turn instances of one spatial type into another.

    FROM and TO are spatial types. Polygons and masks become boxes and boxes polygons, exactly; all else is left as it
    is and listed as to do.
    """
    from tdvc.ops.schemachange import change_type as verb

    return _done(verb(open_repository(), label, source, target, directory, dry_run=dry_run), as_json, dry_run)


@command("tdvc schema lock", group=schema)
@_own_option
@json_option
def lock(directory: str | None, as_json: bool) -> int:
    """Refuse labels and options that the schema does not know.

    Imports, annotations and merges that bring some in are refused whole.
    """
    from tdvc.ops.schema import lock_schema

    return _done(lock_schema(open_repository(), directory), as_json)


@command("tdvc schema unlock", group=schema)
@_own_option
@json_option
def unlock(directory: str | None, as_json: bool) -> int:
    """Learn unknown labels again."""
    from tdvc.ops.schema import lock_schema

    return _done(lock_schema(open_repository(), directory, unlock=True), as_json)


@command("tdvc schema use v1 -d Trial", "tdvc schema use --follow -d Trial", group=schema)
@_revision
@click.option(
    "-d", "--directory", metavar="NAME", required=True, shell_complete=complete_directories, help="For which."
)
@click.option("-f", "--follow", is_flag=True, help="Go by the repository's schema again.")
@dry_run_option
@json_option
def use(revision: str | None, directory: str, follow: bool, dry_run: bool, as_json: bool) -> int:
    """Give a directory a schema of its own.

    It is that of REVISION, and from then on changes of the repository's schema do not reach the directory.
    """
    from tdvc.ops.schema import use_schema

    if (revision is None) != follow:
        raise click.UsageError("Name the revision whose schema it is to be, or --follow.")
    return _done(use_schema(open_repository(), revision, directory, dry_run=dry_run), as_json, dry_run)


@command("tdvc schema diff", "tdvc schema diff v1 v2", group=schema)
@click.argument("before", required=False, shell_complete=complete_revisions)
@click.argument("after", required=False, shell_complete=complete_revisions)
@json_option
def diff(before: str | None, after: str | None, as_json: bool) -> int:
    """Show what differs between the schemas of two states.

    Without a revision, or with the name of a directory: its last commit and what is staged.
    """
    from tdvc.ops.schema import diff_schemas

    found = diff_schemas(open_repository(), before, after)
    heading = f"{printable(found.before)} -> {printable(found.after)}"
    lines = [heading, *change_lines(found.changes)] if found.changes else [heading, "No differences."]
    return output.report(found, lines, as_json, changes=json_changes(found.changes))


@command("tdvc schema log", "tdvc schema log Pets --operations", group=schema)
@_revision
@click.option("-o", "--operations", is_flag=True, help="Go by operations, which have what is not committed too.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Only so many.")
@json_option
def log(revision: str | None, operations: bool, limit: int, as_json: bool) -> int:
    """List who changed the schema, newest first.

    REVISION is a directory, or a state of one to start from; the current directory where it is left out.
    """
    from tdvc.ops.schemahistory import schema_log

    found = list(schema_log(open_repository(), revision, operations=operations, limit=limit))
    if as_json:
        listed = [{name: getattr(entry, name) for name in entry.__dataclass_fields__} for entry in found]
        return output.report([{**item, "changes": json_changes(item["changes"])} for item in listed], (), True)
    return output.report(found, log_lines(found), False)


@command("tdvc schema stats", "tdvc schema stats v1 --json", group=schema)
@_revision
@json_option
def stats(revision: str | None, as_json: bool) -> int:
    """Count what the schema asks, and what is used of it.

    Complexity is what an annotator chooses from: 20 labels with 5 attributes of 10 options each make 1,000. REVISION is
    a state; the repository's schema and all directories that follow it where it is left out.
    """
    from tdvc.ops.schemahistory import schema_stats

    found = schema_stats(open_repository(), revision)
    return output.report(found, stats_lines(found), as_json)
