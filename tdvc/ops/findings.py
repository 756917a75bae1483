"""What `fsck` can find, as values.

A finding names what is wrong, what follows from it and what to do. It never stops the search for others. An `error`
means that something can't be read, or is not what it says it is; a `warning`, that nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tdvc.ids import Kind, ObjectId
from tdvc.names import printable

Severity = Literal["error", "warning"]


class FindingKind(NamedTuple):
    """A kind of finding.

    Attributes:
        severity: how bad it is.
        meaning: what is wrong.
        follows: what comes of it, a sentence.
        advice: what to do, a sentence.
    """

    severity: Severity
    meaning: str
    follows: str
    advice: str


_NOBODY_KNOWS = "No version of tdvc writes that; please report it."
_READD = "tdvc add --reread with the original at hand heals a file; tdvc directory rule NAME --drop leaves a rule."
_REPAIR = "tdvc fsck --repair mends it."

FINDINGS: dict[str, FindingKind] = {
    "cache-damaged": FindingKind(
        "warning", "a file of the cache is not whole", "It is made again when it is needed.", _REPAIR
    ),
    "config-damaged": FindingKind(
        "error",
        "config.toml can't be read or holds what tdvc does not know",
        "Commands that need a setting refuse to run.",
        "Mend the file, or tdvc fsck --repair puts it aside.",
    ),
    "copy-damaged": FindingKind(
        "warning",
        "a copy of an object is damaged, and nothing needs it or another copy is intact",
        "Nothing is lost by it; but look after the disk.",
        _REPAIR,
    ),
    "count-wrong": FindingKind(
        "error", "a row counts other instances than its set holds", "Totals are wrong.", _NOBODY_KNOWS
    ),
    "file-twice": FindingKind(
        "error", "a directory holds one file at two paths", "Edits reach one of the paths only.", "Remove one of them."
    ),
    "folder-and-file": FindingKind(
        "error",
        "a path is the folder of another path",
        "No checkout can write both.",
        "Move one of them: tdvc move.",
    ),
    "format-damaged": FindingKind("error", "the file format is missing or garbled", "No command runs.", _REPAIR),
    "head-missing": FindingKind("error", "heads names no operation that can be read", "No command runs.", _REPAIR),
    "head-stray": FindingKind(
        "warning", "heads holds a name that is not an operation's", "It is passed over.", _REPAIR
    ),
    "heads-diverged": FindingKind(
        "error",
        "heads names operations that do not follow on each other",
        "No command runs.",
        "Keep one of the files in heads.",
    ),
    "label-unknown": FindingKind(
        "warning",
        "an instance has a label that the schema does not know",
        "It has no name to show.",
        "tdvc schema add LABEL, or tdvc relabel.",
    ),
    "mirror-drifted": FindingKind(
        "error",
        "a mirrored file is not the same in every directory",
        "Which of them counts can't be told.",
        "Edit the file: the edit reaches all of them.",
    ),
    "not-canonical": FindingKind(
        "error", "an object's bytes are not the one way to spell what it says", "Equal things differ.", _NOBODY_KNOWS
    ),
    "object-damaged": FindingKind("error", "an object's bytes do not match its id", "It can't be read.", _READD),
    "object-missing": FindingKind(
        "error", "an object that something names is not in the store", "It can't be read.", _READD
    ),
    "only-in-trash": FindingKind(
        "warning", "an object that is needed is only in the trash", "A later gc would remove it.", _REPAIR
    ),
    "operation-unnamed": FindingKind(
        "warning",
        "an operation follows on the head and is not named by it",
        "It did not take effect: its command was killed, or the head was set back.",
        "Run the command again, if it was wanted.",
    ),
    "pack-damaged": FindingKind(
        "error", "a pack's index or records are damaged", "Some of its objects may not be found.", _REPAIR
    ),
    "page-cut-wrong": FindingKind(
        "error", "a page of a table ends where it should not", "Equal tables have different ids.", _NOBODY_KNOWS
    ),
    "page-misdescribed": FindingKind(
        "error", "the page above says of a page what is not so", "Files are not found, or totals wrong.", _NOBODY_KNOWS
    ),
    "page-out-of-order": FindingKind(
        "error", "rows of a table are out of order", "Files are not found.", _NOBODY_KNOWS
    ),
    "path-invalid": FindingKind(
        "error", "a path that can't be stored is", "No checkout writes it.", "Move the file: tdvc move."
    ),
    "paths-out-of-step": FindingKind(
        "error", "the table from files to paths does not fit the files", "Edits miss mirrored files.", _REPAIR
    ),
    "row-invalid": FindingKind(
        "error", "a row of a directory holds what can't be", "Commands may refuse the file.", _NOBODY_KNOWS
    ),
    "size-wrong": FindingKind(
        "error", "a blob is not as long as the row of its file says", "Totals are wrong.", _NOBODY_KNOWS
    ),
}
"""What each finding means. Append only: codes are never renamed or given another meaning."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong.

    Attributes:
        code: a key of `FINDINGS`.
        message: one sentence that says what is wrong.
        place: where, such as `Main:a.jpg`, `heads` or a pack's name; safe to print.
        kind: the kind of the object that it is about, `file` for one of the repository's own files.
        id: of the object, hexadecimal; empty where it is about no object.
        severity: `error` or `warning`.
        follows: what comes of it.
        advice: what to do.
        used_by: every `directory:path` of the living directories that needs the object.
    """

    code: str
    message: str
    place: str
    kind: str
    id: str
    severity: Severity
    follows: str
    advice: str
    used_by: Sequence[str] = ()


def found(code: str, message: str, place: str, kind: Kind | None = None, identity: ObjectId | None = None) -> Finding:
    """A finding about a file of the repository, or about an object where a kind is given."""
    severity, _, follows, advice = FINDINGS[code]
    name = kind.name.lower() if kind is not None else "file"
    digits = identity.hex() if identity is not None else ""
    return Finding(code, message, printable(place), name, digits, severity, follows, advice)
