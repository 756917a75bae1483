"""The steps that are timed, what they may cost, and the printed tables.

A budget is a line of data: at this step tdvc may take so many times what something else took in the same run, or so
many seconds, or so much memory. Ratios come first because a machine differs from the next and from itself an hour ago;
seconds stand where there is nothing to compare with and a person waits.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peers import Tool

SUBJECT = "tdvc"
FASTEST_PEER = "fastest peer"
BESIDE = ("cp", "cp+sync", "walk", FASTEST_PEER)
RATIO_WIDTH = 16
UNITS = ("s", "MB")


@dataclass(frozen=True)
class Step:
    """One thing people do.

    Attributes:
        runs: how often it is done in one repetition; more than once only where doing it again is the same work.
        reads: it reads every byte, so the bytes are brought into memory beforehand.
        settles: files were written just before; wait until their time stamps are too old to be doubted.
    """

    name: str
    title: str
    runs: int = 1
    reads: bool = False
    settles: bool = False


STEPS = (
    Step("add-commit", "add and commit everything", reads=True, settles=True),
    Step("add-again", "add again, nothing changed", runs=3),
    Step("checkout", "check out into an empty folder", reads=True),
    Step("status-folder", "status of the checked-out folder, nothing changed", runs=3, settles=True),
    Step("status-repository", "status of the repository alone", runs=3),
    Step("edit-commit", "change 1 % of the pictures, add and commit"),
    Step("diff", "what changed between the two commits", runs=3),
    Step("mirror-all", "mirror every file into a new directory", runs=2),
    Step("annotate", "add one box, every file held by three directories", runs=3),
    Step("mirror-1000", "mirror about 1,000 files into a new directory", runs=3),
)


@dataclass(frozen=True)
class Budget:
    """tdvc's median at `step` may be at most `factor` times `of`.

    `of` is a tool, `fastest peer`, `s` (seconds) or `MB` (peak memory). `files` are the sizes it is set for: with fewer
    files the start of Python is all there is to measure.
    """

    step: str
    factor: float
    of: str
    files: tuple[int, ...] = (10_000, 100_000)


BUDGETS = (
    Budget("add-commit", 1.0, "cp+sync", files=(10_000,)),
    Budget("add-commit", 0.5, FASTEST_PEER, files=(10_000,)),
    Budget("add-commit", 0.75, "cp+sync", files=(100_000,)),
    Budget("add-commit", 600, "MB", files=(100_000,)),
    Budget("add-again", 2.5, "walk"),
    Budget("add-again", 0.2, "dvc"),
    Budget("status-folder", 2.5, "walk"),
    Budget("status-folder", 0.2, "dvc"),
    Budget("status-repository", 0.3, "s"),
    Budget("checkout", 1.3, "cp"),
    Budget("diff", 0.5, "s"),
    Budget("mirror-1000", 0.7, "s", files=(100_000,)),
    Budget("annotate", 0.7, "s", files=(100_000,)),
)


@dataclass(frozen=True)
class Measurement:
    """One run of one step: the sum over its commands, but the memory of the largest process."""

    tool: str
    step: str
    repetition: int
    run: int
    seconds: float
    cpu_seconds: float
    rss_bytes: int


class Figures:
    """Medians over all runs of a step."""

    def __init__(self, measurements: Sequence[Measurement], tools: Sequence[Tool]) -> None:
        self.measurements = measurements
        self.tools = tools

    def runs(self, tool: str, step: str) -> list[Measurement]:
        """Every run of a step by a tool."""
        return [m for m in self.measurements if (m.tool, m.step) == (tool, step)]

    def seconds(self, tool: str, step: str) -> float | None:
        """Median seconds, or None if it was not measured; `tool` may be `fastest peer`."""
        if tool == FASTEST_PEER:
            peers = (self.seconds(peer.name, step) for peer in self.tools if peer.peer)
            return min((seconds for seconds in peers if seconds is not None), default=None)
        runs = self.runs(tool, step)
        return statistics.median(run.seconds for run in runs) if runs else None

    def megabytes(self, tool: str, step: str) -> float | None:
        """The most memory any run took, in 10^6 bytes."""
        return max((run.rss_bytes / 1e6 for run in self.runs(tool, step)), default=None)

    def table(self, step: Step) -> Iterator[str]:
        """One step as lines of text: a row for each tool, with its ratio to what ran beside it; none if none ran."""
        rows = [self.row(tool.name, step.name) for tool in self.tools if self.runs(tool.name, step.name)]
        if rows:
            ratios = "".join(f"{f'x {name}':>{RATIO_WIDTH}}" for name in BESIDE)
            yield f"\n{step.title} ({step.name})"
            yield f"  {'':12}{'median s':>10}{'least':>10}{'most':>10}{'MB':>7}{ratios}"
            yield from rows

    def row(self, tool: str, step: str) -> str:
        """A tool that was measured at a step."""
        seconds = [run.seconds for run in self.runs(tool, step)]
        median = statistics.median(seconds)
        times = "".join(f"{value:>10.3f}" for value in (median, min(seconds), max(seconds)))
        beside = (self.seconds(name, step) for name in BESIDE)
        ratios = "".join(f"{f'{median / other:.2f}' if other else '':>{RATIO_WIDTH}}" for other in beside)
        return f"  {tool:12}{times}{self.megabytes(tool, step):>7.0f}{ratios}".rstrip()

    def verdict(self, budget: Budget, files: int) -> str:
        """One budget as a line of text: met, missed or not measured, with the figures."""
        rule = f"{budget.factor:g} {budget.of}" if budget.of in UNITS else f"{budget.factor:g} x {budget.of}"
        if files not in budget.files:
            sizes = " or ".join(f"{size:,}" for size in budget.files)
            return f"  -       {budget.step}: at most {rule}, for {sizes} files only"
        unit = budget.of if budget.of in UNITS else "s"
        own = (self.megabytes if unit == "MB" else self.seconds)(SUBJECT, budget.step)
        other = 1.0 if budget.of in UNITS else self.seconds(budget.of, budget.step)
        if own is None or other is None:
            return f"  -       {budget.step}: at most {rule}, not measured"
        limit = budget.factor * other
        verdict = "met   " if own <= limit else "MISSED"
        return f"  {verdict}  {budget.step}: {own:.3g} {unit}, at most {limit:.3g} {unit} ({rule})"


def report(figures: Figures, files: int, dropped: dict[str, str]) -> None:
    """Print every step, every budget and every tool that failed."""
    print(f"\n{files:,} files")
    for step in STEPS:
        for line in figures.table(step):
            print(line)
    print("\nbudgets")
    print(*(figures.verdict(budget, files) for budget in BUDGETS), sep="\n")
    for name, reason in dropped.items():
        print(f"\n{name} failed and is measured up to there only: {reason}")
