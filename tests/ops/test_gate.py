"""The gate: what the repository wants validated before it is recorded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tdvc.errors import FormatError, SchemaError
from tdvc.ops import validating
from tdvc.ops.committing import commit
from tdvc.ops.configuring import set_config
from tdvc.ops.picking import PickOptions, cherry_pick, revert
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import remove
from tdvc.ops.undoing import undo
from tdvc.repo.config import NAME
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, unchanged
from tests.ops.test_pictures import encoded
from tests.ops.test_validating import put

WRONG = [box(at=(5, 5, 5, 5))]


@pytest.fixture
def wrong(repository: Repository) -> Repository:
    put(repository, "a.png", WRONG)
    return repository


def test_nobody_is_stopped_who_did_not_ask_for_it(wrong: Repository) -> None:
    assert commit(wrong, "first").checked is None
    assert snapshot(wrong, "Main", "v1").checked is None


def test_a_commit_with_errors_is_stopped_and_stays_staged(wrong: Repository) -> None:
    set_config(wrong, "validate.on_commit", "error")
    with unchanged(wrong), fails(SchemaError, "validation-failed") as caught:
        commit(wrong, "first")
    assert caught.value.exit_code == 21
    assert caught.value.fields["counts"]["zero-size"] == 1
    assert "zero-size in a.png" in caught.value.message
    assert wrong["Main"].commit is None
    result = commit(wrong, "first", verify=False)
    assert result.checked is None


def test_warnings_and_hints_stop_nothing(repository: Repository) -> None:
    set_config(repository, "validate.on_commit", "error")
    put(repository, "a.png", [box(at=(5, 5, 6, 60))])
    checked = commit(repository, "first").checked
    assert checked is not None
    assert (checked.errors, checked.counts["tiny"]) == (0, 1)


def test_a_warning_lets_everything_through(wrong: Repository) -> None:
    set_config(wrong, "validate.on_commit", "warn")
    checked = commit(wrong, "first").checked
    assert checked is not None
    assert checked.errors == 1


def test_old_sins_are_not_held_against_a_commit(wrong: Repository) -> None:
    commit(wrong, "first")
    set_config(wrong, "validate.on_commit", "error")
    put(wrong, "b.png", [box(at=(5, 5, 9, 9))], content=encoded("PNG", (99, 80)))
    checked = commit(wrong, "second").checked
    assert checked is not None
    assert (checked.files, checked.instances, checked.errors) == (1, 1, 0)
    put(wrong, "c.png", WRONG, content=encoded("PNG", (98, 80)))
    with fails(SchemaError, "validation-failed"):
        commit(wrong, "third")


def test_a_snapshot_is_validated_whole(wrong: Repository) -> None:
    commit(wrong, "first")
    set_config(wrong, "validate.on_snapshot", "error")
    with unchanged(wrong), fails(SchemaError, "validation-failed"):
        snapshot(wrong, "Main", "v1")
    assert snapshot(wrong, "Main", "v1", verify=False).name == "v1"


def test_a_bad_configuration_lets_nothing_through(wrong: Repository) -> None:
    wrong.storage.replace(NAME, b"[validate]\non_comit = 'error'\n")
    with unchanged(wrong), fails(FormatError, "bad-config"):
        commit(wrong, "first")


def test_an_interrupted_validation_commits_nothing(wrong: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    set_config(wrong, "validate.on_commit", "warn")
    monkeypatch.setattr(validating, "validate_states", interrupted)
    with unchanged(wrong), pytest.raises(KeyboardInterrupt):
        commit(wrong, "first")


def test_a_commit_that_is_not_validated_imports_nothing_for_it() -> None:
    script = (
        "import sys, tdvc.ops.committing;print([name for name in ('numpy', 'PIL', 'pyarrow') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr


@pytest.mark.parametrize("verb", [revert, cherry_pick])
def test_what_comes_back_or_is_brought_in_passes_the_gate_of_commits(wrong: Repository, verb) -> None:
    made = commit(wrong, "wrong")
    remove(wrong, ["Main:a.png"])
    taken = commit(wrong, "without it")
    set_config(wrong, "validate.on_commit", "error")
    picked = taken.commit if verb is revert else made.commit
    with unchanged(wrong), fails(SchemaError, "validation-failed"):
        verb(wrong, picked)
    result = verb(wrong, picked, options=PickOptions(verify=False))
    assert (result.checked, result.added_files) == (None, 1)
    undo(wrong)
    set_config(wrong, "validate.on_commit", "warn")
    checked = verb(wrong, picked).checked
    assert checked is not None and checked.errors == 1
