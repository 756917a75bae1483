"""A tour of tdvc on a sample set that it draws itself: every command is run for real, and shown before its output."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click

from tdvc.cli import output
from tdvc.cli.command import command
from tdvc.names import printable


class Step(NamedTuple):
    """One command of the tour: why it is run, and its words. It runs in `folder`, below the demo folder."""

    why: str
    words: tuple[str, ...]
    folder: str = ""


STEPS: tuple[Step, ...] = (
    Step(
        "A repository is a folder with a hidden folder in it. It begins with one directory.",
        ("tdvc", "init", "-d", "Pets"),
    ),
    Step("Bring in pictures with their boxes. tdvc only reads that folder.", ("tdvc", "import", "photos")),
    Step("What is in the directory, and what the next commit would record:", ("tdvc", "status")),
    Step("Record it.", ("tdvc", "commit", "-m", "First photos")),
    Step(
        "A mirror puts the same files into another directory. No byte is stored twice.",
        ("tdvc", "mirror", "Pets", "Dogs", "--label", "dog"),
    ),
    Step(
        "Somebody has looked at all of them: nothing is left to be labelled.", ("tdvc", "complete", "*", "-d", "Dogs")
    ),
    Step("That directory has a history of its own.", ("tdvc", "commit", "-d", "Dogs", "-m", "Every photo with a dog")),
    Step(
        "Freeze what a training is to use. The name never means anything else.",
        ("tdvc", "snapshot", "Dogs", "dogs-1", "-m", "For the first training"),
    ),
    Step(
        "Somebody outlined the dogs; these edits go in through Dogs …",
        ("tdvc", "annotate", "outlines.jsonl", "-d", "Dogs"),
    ),
    Step(
        "… and somebody else corrected two photos, through Pets.",
        ("tdvc", "annotate", "corrections.jsonl", "-d", "Pets"),
    ),
    Step("Mirrored files can't drift apart: both edits show in both directories.", ("tdvc", "diff", "Dogs")),
    Step("Counted instead of listed, for Pets:", ("tdvc", "diff", "Pets", "--stat")),
    Step("Record the edits.", ("tdvc", "commit", "-d", "Dogs", "-m", "Outlines, and corrections after a review")),
    Step("A step that turns out to be wrong …", ("tdvc", "relabel", "tree", "plant", "-d", "Pets")),
    Step("… can be taken back, and undo itself can be too (redo).", ("tdvc", "undo")),
    Step("What was done to the repository, newest first:", ("tdvc", "operations")),
    Step("The commits of one directory:", ("tdvc", "log", "Dogs")),
    Step("What changed since the snapshot:", ("tdvc", "diff", "dogs-1", "Dogs", "--stat")),
    Step(
        "Write the snapshot into a folder, every byte verified on the way.", ("tdvc", "checkout", "dogs-1", "training")
    ),
    Step("It can be checked without tdvc.", ("sha256sum", "-c", "SHA256SUMS"), "training"),
    Step("And the repository checks its own copy.", ("tdvc", "verify", "dogs-1")),
)
"""The tour, in order."""


@command("tdvc demo", "tdvc demo somewhere/else", "tdvc demo --seed 7 --pictures 100")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="demo", required=False)
@click.option("-p", "--pictures", type=click.IntRange(min=3), default=24, show_default=True, help="How many to draw.")
@click.option("-s", "--seed", type=int, default=1, show_default=True, help="Another seed draws other pictures.")
def demo(folder: Path, pictures: int, seed: int) -> int:
    """Draw a sample set and show the main commands at work on it.

    Everything happens in FOLDER (./demo), which must be new or empty and can be deleted afterwards. Each command is
    printed before its output, so the tour can be repeated by hand.
    """
    from tdvc.ops.sample import make_sample

    sample = make_sample(folder, pictures=pictures, seed=seed)
    boxes = ", ".join(output.plural(count, label) for label, count in sample.boxes.items())
    click.echo(f"# Drew {sample.pictures} photos with boxes ({boxes}) in {printable(str(sample.source))}.")
    click.echo(f"$ cd {shlex.quote(printable(str(folder)))}")
    for step in STEPS:
        code = _run(step, folder)
        if code:
            return code
    click.echo("\n# That was the tour. Everything is still there: look around with tdvc --help.")
    return 0


def _run(step: Step, folder: Path) -> int:
    words = _program(step.words)
    if words is None:
        return 0
    shown = shlex.join(step.words)
    click.echo(f"\n# {step.why}\n$ {f'(cd {step.folder} && {shown})' if step.folder else shown}")
    sys.stdout.flush()
    environment = {name: value for name, value in os.environ.items() if name != "TDVC_DIR"}
    return subprocess.run(words, cwd=folder / step.folder, env=environment, check=False).returncode  # noqa: S603


def _program(words: tuple[str, ...]) -> list[str] | None:
    """What to start for the words that are shown; None where this machine does not have it."""
    if words[0] == "tdvc":
        return [sys.executable, "-m", "tdvc", *words[1:]]
    import shutil

    found = shutil.which(words[0])
    return [found, *words[1:]] if found else None
