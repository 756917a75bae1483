"""`bisect`: the first commit with which something went wrong.

The commits between a good and a bad one are a line of first parents, and badness is taken to stay once it is there; so
each verdict halves what is left. A commit that can't be judged is passed over, and if it may be the one that is sought,
it is named with the others that may be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tdvc.errors import Usage
from tdvc.ids import ObjectId
from tdvc.ops.history import commit_of
from tdvc.repo.commit import first_parents, read_commit
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit

GOOD, BAD, SKIP = "good", "bad", "skip"

Judge = Callable[[Directory, int], str]
"""Says `GOOD`, `BAD` or `SKIP` of a state; the number is how many commits may still be the first bad one."""


@dataclass(slots=True)
class BisectResult:
    """Where it went wrong; commits in hexadecimal.

    Attributes:
        first_bad: the commit; None where skipped ones leave several in question.
        suspects: the commits in question, oldest first; one where `first_bad` is known.
        message: of `first_bad`.
        author: of `first_bad`.
        time: of `first_bad`.
        verdicts: commit to what was said of it, in the order of asking.
    """

    first_bad: str | None = None
    suspects: list[str] = field(default_factory=list)
    message: str = ""
    author: str = ""
    time: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)


def bisect(repository: Repository, span: str | None, judge: Judge) -> BisectResult:
    """Find the first bad commit.

    Args:
        repository: the repository.
        span: `GOOD..BAD`; without GOOD the first commit is taken to be good, without BAD the last one to be bad.
        judge: is asked about one state after the other.

    Raises:
        NotFound: unknown-revision.
        Usage: bad-usage, where GOOD is not before BAD.
    """
    before, _, after = (span or "").rpartition("..")
    bad = commit_of(repository, after or repository.view.current)
    good = commit_of(repository, before) if before else None
    line = _line(repository, good, bad)
    result = BisectResult()
    low, high = 0, len(line) - 1  # line[low] is good, line[high] is bad
    while (at := _next(line, low, high, result.verdicts)) is not None:
        verdict = judge(at_commit(repository.objects, line[at]), high - low)
        if verdict not in (GOOD, BAD, SKIP):
            raise ValueError(f"{verdict!r} is no verdict")
        result.verdicts[line[at].hex()] = verdict
        low, high = (at, high) if verdict == GOOD else (low, at) if verdict == BAD else (low, high)
    result.suspects = [identity.hex() for identity in line[low + 1 : high + 1]]
    if len(result.suspects) == 1:
        found = read_commit(repository.objects, line[high])
        result.first_bad = line[high].hex()
        result.message, result.author, result.time = found.message, found.author, found.time
    return result


def _line(repository: Repository, good: ObjectId | None, bad: ObjectId) -> list[ObjectId]:
    """The commits from the good one to the bad one, oldest first."""
    line = []
    for identity, _ in first_parents(repository.objects, bad):
        line.append(identity)
        if identity == good:
            break
    else:
        if good is not None:
            raise Usage("bad-usage", f"The commit {good.hex()[:12]} is not before {bad.hex()[:12]}.")
    if len(line) < 2:
        raise Usage("bad-usage", "There is nothing between the good and the bad commit.")
    line.reverse()
    return line


def _next(line: Sequence[ObjectId], low: int, high: int, verdicts: dict[str, str]) -> int | None:
    """The commit nearest to the middle that was not judged; None where none is left."""
    middle = (low + high) // 2
    left = [at for at in range(low + 1, high) if line[at].hex() not in verdicts]
    return min(left, key=lambda at: (abs(at - middle), at), default=None)
