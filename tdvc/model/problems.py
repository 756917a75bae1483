"""One thing wrong with one record, as a value.

A bad file never stops a batch: whoever meets it reports a `Problem` and goes on, and the command finishes
with the list. The code is for programs, the message for people, and the two counts are what makes the sum
come out: everything that went in either came out or is counted by a problem.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

PROBLEMS: dict[str, str] = {
    "ambiguous-name": "a record without a picture whose name fits several files of the directory",
    "bad-name": "a file on disk whose name tdvc can't store",
    "coordinates-doubtful": "a table whose coordinates could be pixels or fractions of the picture",
    "case-collision": "two paths that some file systems take for one",
    "changed-while-reading": "a file that changed, grew or vanished while it was read",
    "duplicate-class": "a class that a source defines more than once",
    "filtered": "instances that were left out because the user asked for it",
    "geometry-kept-aside": "a geometry that breaks its rules, kept as a property of a simpler one",
    "kept-as-property": "a part of an annotation file that no instance can be made of, kept as a property of the file",
    "picture-turned": "an annotation that was drawn while the picture was turned, kept as written",
    "type-not-carried": "an instance of a kind that the written format has no place for",
    "duplicate-instance": "an instance_id that occurs twice in one file",
    "duplicate-path": "a second record for a picture that has one",
    "empty-class": "a class folder without a picture",
    "incomplete": "files that are not declared complete, or were so under a schema that asked less",
    "instance-invalid": "an annotation that breaks a rule of its spatial type or lacks a part",
    "mixed-media": "pictures and videos in one project of a tool that has one kind in each",
    "mixed-rows": "label files with rows of more than one kind, which trainers misread",
    "no-class": "a picture outside every class folder, which gets no label",
    "picture-missing": "a record whose picture is not there",
    "picture-unreadable": "a picture whose bytes are not what its kind promises",
    "record-unreadable": "an annotation file or line that does not hold what its format promises",
    "skipped-hidden": "a hidden file or folder, which is not imported",
    "skipped-other": "a file or folder that the format has no use for",
    "skipped-special": "a pipe, socket or device, which is never opened",
    "skipped-symlink": "a symbolic link, which is never followed",
    "split-overlap": "a directory that held no file of a split's parts, and now holds some that a part has too",
    "split-unknown": "a split list that names a picture which is not there",
    "stored-damaged": "a file whose stored bytes or instances are missing or damaged",
    "text-changed": "a text with characters that the written format can't spell",
    "unreadable": "a file or folder that the operating system would not let us read",
    "unsafe-path": "a path in an annotation file that leads outside its folder or can't be stored",
}
"""What each problem code means. Append only: codes are never renamed or given another meaning."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one record.

    Attributes:
        code: a key of `PROBLEMS`.
        place: the annotation file or picture, relative to the source, safe to print, with `:line` where lines
            count.
        message: one sentence that says what is wrong.
        instance: the instance_id, or the annotation's position in its file from 0; empty where it is about
            the file.
        severity: `error` where something is left out or wrong, `warning` where it is only worth knowing.
        dropped_files: how many files are left out because of it.
        dropped_instances: how many annotations are left out because of it.
    """

    code: str
    place: str
    message: str
    instance: str = ""
    severity: Literal["error", "warning"] = "error"
    dropped_files: int = 0
    dropped_instances: int = 0

    def __post_init__(self) -> None:
        if self.code not in PROBLEMS:
            raise AssertionError(f"problem code {self.code!r} is not listed in tdvc.model.problems.PROBLEMS")


Report = Callable[[Problem], None]
"""Where problems go while a batch runs on."""
