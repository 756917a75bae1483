"""`config`: what a repository is told to do."""

from __future__ import annotations

from dataclasses import dataclass

from tdvc.errors import Usage
from tdvc.repo.config import MEANINGS, Config, read_config, set_value, values_of
from tdvc.repo.repository import Repository


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: its value, the value it has where nobody sets it, and what it is for."""

    key: str
    value: str | float
    usual: str | float
    meaning: str


def config_values(repository: Repository) -> list[Setting]:
    """Every setting, ordered by key. Raises FormatError (bad-config)."""
    values, usual = values_of(read_config(repository.storage)), values_of(Config())
    return [Setting(key, values[key], usual[key], MEANINGS[key]) for key in sorted(MEANINGS)]


def config_value(repository: Repository, key: str) -> Setting:
    """One setting. Raises Usage (bad-usage), FormatError (bad-config)."""
    for setting in config_values(repository):
        if setting.key == key:
            return setting
    raise Usage("bad-usage", f"There is no setting {key[:100]!r}.", hint="tdvc config list", key=key)


def set_config(repository: Repository, key: str, value: str) -> Setting:
    """Give a setting a value. The file is written anew, so comments in it go.

    Raises:
        Usage: bad-usage, for an unknown key.
        FormatError: bad-config, for a value that does not fit.
    """
    set_value(repository.storage, key, value)
    return config_value(repository, key)
