"""The gate: validation before something is recorded, as the repository's configuration wants it.

What is recorded is compared with what was recorded before, so that only what changed is validated and the time a commit
takes follows the change. What is wrong already is not held against those who did not touch it, nor a schema that became
stricter; `tdvc validate` looks at everything. Nothing is written: where the gate stays shut everything is as it was,
staged edits included.

Where nobody asked for validation it costs a look at the configuration: what validates is imported when it is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Literal

from tdvc.errors import SchemaError
from tdvc.repo.config import Validation, read_config
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction

if TYPE_CHECKING:
    from tdvc.ops.validating import Finding, ValidateResult

MAX_FINDINGS = 20

When = Literal["commit", "merge", "snapshot"]


def gate(
    repository: Repository, when: When, state: Directory, *, since: Directory | None = None
) -> ValidateResult | None:
    """Validate what is about to be recorded.

    Args:
        repository: the repository.
        when: what is about to happen.
        state: what is about to be recorded.
        since: only files that differ from this state; all for None.

    Returns:
        What was found; None where the configuration asks for nothing.

    Raises:
        SchemaError: validation-failed, where errors were found and the configuration stops on them.
        FormatError: bad-config.
    """
    settings = read_config(repository.storage).validate
    level = _level(settings, when)
    if level == "off":
        return None
    validating = importlib.import_module("tdvc.ops.validating")
    result: ValidateResult = validating.validate_states(repository, [state], settings, limit=MAX_FINDINGS, base=since)
    if level == "error" and result.errors:
        raise _failed(when, state, result)
    return result


def gate_preview(repository: Repository, when: When, edit: Transaction, before: Directory) -> ValidateResult | None:
    """Validate what a transaction makes of a directory; `before` is its last commit's state. Raises as `gate`."""
    if _level(read_config(repository.storage).validate, when) == "off":
        return None
    return gate(repository, when, previewed(repository, edit, before), since=before)


def previewed(repository: Repository, edit: Transaction, before: Directory) -> Directory:
    """What a transaction makes of a directory, before it is published."""
    ref = edit.preview(before.name)
    return Directory(repository.objects, name=before.name, root=ref.root, schema_id=ref.schema or before.schema_id)


def _level(settings: Validation, when: When) -> str:
    return {"commit": settings.on_commit, "merge": settings.on_merge, "snapshot": settings.on_snapshot}[when]


def _failed(when: When, state: Directory, result: ValidateResult) -> SchemaError:
    errors = f"{result.errors:,} error{'' if result.errors == 1 else 's'}"
    first = result.findings[0]
    return SchemaError(
        "validation-failed",
        f"Validation found {errors} in {state.title}, such as {shown(first)}; there was no {when}.",
        hint=f"tdvc validate {state.name} lists them; --no-verify goes ahead all the same.",
        counts=result.counts,
        findings=result.findings,
    )


def shown(finding: Finding) -> str:
    """A finding in a few words."""
    return f"{finding.rule} in {finding.path}" if finding.path else finding.rule
