"""`validate --fix`: repairs what has one right answer, and nothing else.

Two things do: a box that reaches over an edge of its picture ends at that edge, and of instances that say the same in
everything one is enough. A box without size, an outline that crosses itself or a picture that can't be read needs
somebody who looks at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from tdvc.errors import Usage
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.records import Instance
from tdvc.model.rules import RULES
from tdvc.ops.annotate import corrected
from tdvc.ops.progress import Progress, silent
from tdvc.ops.validating import Finding, Repair, ValidateResult, chosen, validate_states
from tdvc.repo.config import read_config
from tdvc.repo.repository import Repository
from tdvc.repo.revision import resolve

_ALL = 10**9


def fix(
    repository: Repository,
    directory: str | None = None,
    *,
    rules: Sequence[str] = (),
    limit: int = 1000,
    dry_run: bool = False,
    progress: Progress = silent,
) -> ValidateResult:
    """Repair a directory's staged state in one operation.

    Args:
        repository: the repository.
        directory: the current one for None.
        rules: only what these find.
        limit: how many findings are listed.
        dry_run: change nothing; say what would be changed.
        progress: told how far it is.

    Returns:
        What is left, and the repairs; with `dry_run` what is there, and what would be done.

    Raises:
        Usage: bad-usage, where it is not the staged state of a directory.
    """
    name = repository.view.current if directory is None else directory
    if name not in repository.view.directories:
        raise Usage("bad-usage", f"{name!r} can't be changed: only the staged state of a directory can be repaired.")
    settings = chosen(read_config(repository.storage), rules)
    fixable = {code: settings.severity(code) if rule.fixable else "off" for code, rule in RULES.items()}
    repairs: list[Repair] = []
    with repository.transaction(f"validate --fix {name}") as edit:
        state = resolve(repository.objects, edit.view, name)
        found = validate_states(repository, [state], replace(settings, rules=fixable), limit=_ALL, progress=progress)
        for path, findings in _by_path(found.findings).items():
            file = state[path]
            before = file.instances
            after, made = _repaired(path, before, findings)
            repairs += made
            edit.annotate(file, corrected(before, after))
        if dry_run:
            edit.discard()
        operation = edit.publish()
    result = validate_states(repository, [repository[name]], settings, limit=limit, progress=progress)
    result.repairs, result.operation = repairs, operation
    return result


def _by_path(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings that can be repaired."""
    wrong: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fix:
            wrong.setdefault(finding.path, []).append(finding)
    return wrong


def _repaired(
    path: str, instances: Iterable[Instance], findings: Sequence[Finding]
) -> tuple[list[Instance], list[Repair]]:
    """The instances of a file after its repairs, and those."""
    gone = {finding.instance_id for finding in findings if finding.rule == "identical-instances"}
    reaching = {finding.instance_id: finding.picture for finding in findings if finding.rule == "outside-picture"}
    kept, repairs = [], []
    for instance in instances:
        before = bytes(instance.geometry).decode()
        about = (path, instance.instance_id, instance.label)
        if instance.instance_id in gone:
            repairs.append(Repair(*about, "identical-instances", before))
            continue
        picture = reaching.get(instance.instance_id)
        if picture is not None:
            instance = _clamped(instance, picture)
            repairs.append(Repair(*about, "outside-picture", before, bytes(instance.geometry).decode()))
        kept.append(instance)
    return kept, repairs


def _clamped(instance: Instance, picture: tuple[float, float]) -> Instance:
    """The instance with its box inside its picture; corners that are inside keep their spelling."""
    corners = numbers.parse(bytes(instance.geometry))
    for at in range(4):
        value, far = float(corners[at]), picture[at % 2]
        if not 0 <= value <= far:
            corners[at] = Number("0" if value < 0 else f"{far:.12g}")
    return msgspec.structs.replace(instance, geometry=msgspec.Raw(numbers.spell(corners)))
