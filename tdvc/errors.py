"""Every error tdvc raises on purpose.

    TdvcError                exit 1   anything expected that went wrong
    ├── Usage                exit 2   the request itself makes no sense
    ├── NotFound             exit 1   a name, path or revision that is not there
    │   └── NoRepository     exit 10
    ├── Refused              exit 1   would overwrite, reuse or lose something
    ├── Locked               exit 11  another command is publishing
    ├── Conflict             exit 20  somebody else changed the same thing
    ├── SchemaError          exit 21  an annotation breaks the rules of its type or schema
    ├── FormatError          exit 1   a file from outside does not hold what it should
    ├── Corruption           exit 1   stored bytes are missing or damaged
    └── StorageFailure       exit 1   the disk refused: full, read-only, failing

The classes are what a caller would do about it; `code` says precisely what happened. Codes are listed in `CODES`,
are documented in `docs/errors.md`, and are never renamed or given another meaning.
"""

from __future__ import annotations

from typing import Any, ClassVar

CODES: dict[str, str] = {
    "ambiguous-revision": "a commit id prefix fits more than one commit",
    "bad-config": "the repository's configuration holds a key or a value that tdvc does not know",
    "attribute-not-found": "the schema has no attribute or option with that key",
    "bad-edit": "a line of an edits file does not say what to do in a way tdvc understands",
    "bad-format-file": "an annotation file does not hold what its format promises",
    "bad-instance": "an annotation breaks a rule of its spatial type",
    "bad-name": "a directory or snapshot name that tdvc does not allow",
    "bad-patch": "a line of a patch does not say what changed in a way tdvc understands",
    "bad-path": "a path inside a directory that tdvc does not allow",
    "bad-pin": "a pin file holds something else than the pin of a state",
    "bad-query": "a query is not one that tdvc understands; the fields say at which character",
    "bad-schema": "a schema that makes no sense, or a schema file that can't be read",
    "bad-sql": "DuckDB refused an SQL query, or it gives no rows",
    "bad-usage": "options or arguments that do not go together",
    "changed-meanwhile": "another command changed the same files between reading and publishing",
    "checkout-in-the-way": "checkout would overwrite a file it did not write",
    "conflict-not-found": "no conflict of the merge goes by that path, instance or field",
    "conflicts-left": "a merge has conflicts that are not resolved",
    "directory-exists": "a directory of that name is there already",
    "directory-follows": "a directory follows a rule that says what it holds, or another one follows it",
    "directory-not-found": "no directory has that name",
    "disk-failure": "the operating system could not read or write a file",
    "disk-full": "there is no space left to write to",
    "edited-both-sides": "a checked-out file and its directory were both edited",
    "export-does-not-fit": "changes since a state were to be applied to an export of another one",
    "file-exists": "the directory holds another file at that path",
    "file-not-found": "no file of the directory has that path or file_id",
    "folder-in-the-way": "one path would be both a file and a folder",
    "format-unknown": "no reader knows this source, or the named format does not exist",
    "heads-diverged": "two commands published without seeing each other; the file system did not lock",
    "hook-refused": "a hook of the repository stopped the command",
    "incomplete": "files are not complete, or were so under a schema that asked less, and that was to be refused",
    "instance-not-found": "the file has no instance with that id",
    "label-exists": "the schema has a label of that key or name",
    "label-in-use": "instances have a label that is to go",
    "label-not-found": "the schema has no label with that key, name or alias",
    "library-missing": "a format needs a library that is not installed",
    "last-directory": "a repository has at least one directory",
    "locked": "another command held the repository's lock too long",
    "merge-under-way": "a merge was begun in the directory and not ended",
    "no-merge": "no merge is under way in the directory",
    "no-repository": "there is no repository here or above",
    "loss-refused": "something would be left out, and the command was told to refuse that",
    "nothing-to-commit": "the staged state equals the last commit",
    "nothing-to-export": "no file of the states to export is declared complete",
    "nothing-to-redo": "the last operation was not an undo",
    "nothing-to-undo": "only the creation of the repository is left",
    "object-damaged": "stored bytes do not match their id",
    "object-missing": "an object that something names is not in the store",
    "patch-does-not-fit": "what a patch touches is not what it was when the patch was made",
    "pin-mismatch": "the repository does not hold what a pin says",
    "repository-exists": "there is a repository here already",
    "repository-format": "the repository was written by another version of tdvc, or its format file is damaged",
    "rule-circular": "the rule of a dynamic directory asks, by way of others, for that directory itself",
    "rule-not-found": "the directory follows no rule: people say what it holds",
    "schema-followed": "the directory follows the repository's schema and has none of its own to change",
    "schema-locked": "the schema is locked and does not know a label or option that comes in",
    "snapshot-exists": "a snapshot name can be given once only, and never again",
    "source-not-found": "a path given on the command line does not exist",
    "staged-edits": "a directory has edits that are not committed, and the command needs a commit",
    "too-many-conflicts": "a merge has more conflicts than can be resolved one by one",
    "unknown-operation": "no operation's id begins with these digits",
    "unrelated-states": "two states to merge have no commit and no file in common",
    "unknown-revision": "no directory, snapshot or commit goes by that name",
    "validation-failed": "validation found errors, and the repository is configured to stop on them",
}
"""What each error code means. Append only."""


class TdvcError(Exception):
    """An expected failure: one sentence that says what, where and what to try.

    Attributes:
        code: a key of `CODES`.
        message: the sentence, safe to print whatever it names.
        hint: what to try next, or empty.
        fields: the things the sentence names, for programs.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, *, hint: str = "", **fields: Any) -> None:
        if code not in CODES:
            raise AssertionError(f"error code {code!r} is not listed in tdvc.errors.CODES")
        self.code = code
        self.message = printable(message)
        self.hint = printable(hint)
        super().__init__(self.message)
        self.fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes whole."""
        return _rebuilt, (type(self), self.code, self.message, self.hint, self.fields)


def printable(text: str) -> str:
    """`text` safe to print on a terminal: control, bidirectional and unprintable characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _rebuilt(kind: type[TdvcError], code: str, message: str, hint: str, fields: dict[str, Any]) -> TdvcError:
    return kind(code, message, hint=hint, **fields)


class Usage(TdvcError):
    """The request itself makes no sense."""

    exit_code = 2


class NotFound(TdvcError):
    """A name, path or revision that is not there."""


class NoRepository(NotFound):
    """There is no repository here or above."""

    exit_code = 10


class Refused(TdvcError):
    """Doing it would overwrite, reuse or lose something."""


class Locked(TdvcError):
    """Another command is publishing and did not finish in time."""

    exit_code = 11


class Conflict(TdvcError):
    """Somebody else changed the same thing meanwhile."""

    exit_code = 20


class SchemaError(TdvcError):
    """An annotation breaks the rules of its type or schema."""

    exit_code = 21


class FormatError(TdvcError):
    """A file from outside does not hold what it should."""


class Corruption(TdvcError):
    """Stored bytes are missing or damaged."""


class StorageFailure(TdvcError):
    """The disk refused: full, read-only, failing."""
