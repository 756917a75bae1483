"""The repository's settings: read with suspicion, written whole."""

from __future__ import annotations

import pytest

from tdvc.errors import FormatError, Usage
from tdvc.model.rules import RULES
from tdvc.ops.configuring import config_value, config_values, set_config
from tdvc.repo.config import MAX_BYTES, MEANINGS, NAME, Config, read_config, values_of
from tdvc.repo.repository import Repository
from tests.ops.build import fails


def test_without_a_file_everything_is_as_usual(repository: Repository) -> None:
    assert read_config(repository.storage) == Config()
    assert all(one.value == one.usual for one in config_values(repository))


def test_every_setting_has_a_meaning_and_a_value() -> None:
    assert values_of(Config()).keys() == MEANINGS.keys()
    assert {key.removeprefix("validate.rules.") for key in MEANINGS if ".rules." in key} == RULES.keys()


def test_what_is_written_is_read(repository: Repository) -> None:
    repository.storage.replace(NAME, b'[validate]\non_commit = "error"\ntiny_px = 4\n[validate.rules]\ntiny = "off"\n')
    settings = read_config(repository.storage).validate
    assert (settings.on_commit, settings.on_merge, settings.tiny_px) == ("error", "off", 4.0)
    assert (settings.severity("tiny"), settings.severity("zero-size")) == ("off", "error")


def test_a_setting_is_changed_and_the_others_stay(disk_repository: Repository) -> None:
    set_config(disk_repository, "validate.rules.tiny", "warning")
    set_config(disk_repository, "validate.tiny_px", "0.125")
    found = set_config(disk_repository, "validate.on_commit", "warn")
    assert (found.value, found.usual) == ("warn", "off")
    assert disk_repository.storage.read(NAME) == (
        b'[validate]\non_commit = "warn"\ntiny_px = 0.125\n\n[validate.rules]\ntiny = "warning"\n'
    )
    assert config_value(disk_repository, "validate.rules.tiny").value == "warning"


def test_the_usual_value_takes_a_setting_out_of_the_file(repository: Repository) -> None:
    set_config(repository, "validate.on_commit", "error")
    set_config(repository, "validate.on_commit", "off")
    assert repository.storage.read(NAME) == b""


BAD = {
    "not TOML": b"validate = [",
    "not text": b"\xff\xfe",
    "too large": b"#" * (MAX_BYTES + 1),
    "unknown section": b"[remote]\nurl = 1\n",
    "unknown key": b"[validate]\non_push = 1\n",
    "unknown rule": b'[validate.rules]\nzero = "off"\n',
    "a level that is none": b'[validate]\non_commit = "stop"\n',
    "a severity that is none": b'[validate.rules]\ntiny = "fatal"\n',
    "text for a number": b'[validate]\ntiny_px = "4"\n',
    "a truth for a number": b"[validate]\ntiny_px = true\n",
    "a negative number": b"[validate]\ntiny_px = -1\n",
    "no number": b"[validate]\ntiny_px = nan\n",
    "a number without end": b"[validate]\ntiny_px = inf\n",
    "a number for a level": b"[validate]\non_commit = 1\n",
    "a value for a table": b"validate = 1\n",
    "a list for rules": b"[validate]\nrules = []\n",
    "nested deeply": b"a = " + b"[" * 5000 + b"]" * 5000,
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(repository: Repository, name: str) -> None:
    repository.storage.replace(NAME, BAD[name])
    with fails(FormatError, "bad-config"):
        read_config(repository.storage)


def test_a_bad_file_is_not_written_over(repository: Repository) -> None:
    repository.storage.replace(NAME, BAD["unknown key"])
    with fails(FormatError, "bad-config"):
        set_config(repository, "validate.on_commit", "error")
    assert repository.storage.read(NAME) == BAD["unknown key"]


@pytest.mark.parametrize(("key", "value"), [("validate.on_commit", "stop"), ("validate.tiny_px", "-1")])
def test_a_bad_value_is_refused(repository: Repository, key: str, value: str) -> None:
    with fails(FormatError, "bad-config"):
        set_config(repository, key, value)


@pytest.mark.parametrize(("key", "value"), [("validate.on_push", "off"), ("", ""), ("validate.tiny_px", "many")])
def test_a_request_that_makes_no_sense_is_refused(repository: Repository, key: str, value: str) -> None:
    with fails(Usage, "bad-usage"):
        set_config(repository, key, value)
    with fails(Usage, "bad-usage"):
        config_value(repository, "validate")
