"""What a repository is told to do: `config.toml` in its folder.

    [validate]
    on_commit = "error"
    tiny_px = 4

    [validate.rules]
    tiny = "warning"

    [hooks]
    timeout = 60

It belongs to this repository alone: it is no part of any commit and never travels. It may come from a stranger all the
same, so it is bounded, holds values and nothing that is run, and a key that tdvc does not know is refused by name: a
rule that was misspelled would otherwise be one that nobody checks.

Validation is off where nobody asked for it. It reads every new picture, which makes the first commit of a large import
many times slower, and it would refuse real data that nobody has had a chance to look at.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tdvc.errors import FormatError, Usage
from tdvc.model.rules import RULES, SEVERITIES
from tdvc.storage.base import Storage

NAME = "config.toml"
MAX_BYTES = 64 << 10
LEVELS = ("off", "warn", "error")
TABLES = ("validate", "validate.rules", "hooks")
_LOCK_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Validation:
    """The table `validate`.

    Attributes:
        on_commit: one of `LEVELS`: `warn` says what it found, `error` stops on errors.
        on_merge: the same for merge.
        on_snapshot: the same for snapshot.
        tiny_px: a shape with a shorter side is tiny.
        outside_px: how far a shape may leave the picture; what is left by rounding of fractions.
        imbalance_percent: a label with a smaller part of the instances is rare.
        rules: severities by rule, for those that have another one than their own.
    """

    on_commit: str = "off"
    on_merge: str = "off"
    on_snapshot: str = "off"
    tiny_px: float = 2.0
    outside_px: float = 0.01
    imbalance_percent: float = 1.0
    rules: Mapping[str, str] = field(default_factory=dict)

    def severity(self, rule: str) -> str:
        """How bad what a rule finds is here."""
        return self.rules.get(rule, RULES[rule].severity)


@dataclass(frozen=True, slots=True)
class HookLimits:
    """The table `hooks`: what hooks may take. Which hooks there are is said by the files in the folder `hooks` alone.

    Attributes:
        timeout: seconds after which a hook is stopped.
    """

    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Config:
    """All of it."""

    validate: Validation = field(default_factory=Validation)
    hooks: HookLimits = field(default_factory=HookLimits)


MEANINGS: dict[str, str] = {
    "validate.on_commit": "what commit does with what is wrong: off, warn or error",
    "validate.on_merge": "the same for merge",
    "validate.on_snapshot": "the same for snapshot",
    "validate.tiny_px": "a shape with a shorter side is tiny, in pixels",
    "validate.outside_px": "how far a shape may leave its picture, in pixels",
    "validate.imbalance_percent": "a label with a smaller part of the instances is rare",
    **{f"validate.rules.{code}": f"how bad it is: {rule.says}" for code, rule in RULES.items()},
    "hooks.timeout": "how many seconds a hook may take; then it is stopped",
}
"""Every key and what it is for."""


def read_config(storage: Storage) -> Config:
    """The configuration of a repository.

    Raises:
        FormatError: bad-config.
    """
    return config_from(_read(storage))


def _read(storage: Storage) -> dict[str, Any]:
    try:
        if storage.size(NAME) > MAX_BYTES:
            raise _bad(f"is larger than {MAX_BYTES >> 10} KiB")
        return tomllib.loads(storage.read(NAME).decode())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:  # TOML's and Unicode's errors are ValueErrors
        raise _bad(f"is not TOML: {str(error)[:200]}") from error


def config_from(given: Mapping[str, Any]) -> Config:
    """The configuration that some values mean. Raises FormatError (bad-config)."""
    tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for key, value in _flat(given, ""):
        if key not in MEANINGS:
            raise _bad(f"has the key {key[:100]!r}, which is not known", key=key)
        table, _, name = key.rpartition(".")
        tables[table][name] = _checked(key, value)
    validation = Validation(**tables["validate"], rules=tables["validate.rules"])
    return Config(validation, HookLimits(**tables["hooks"]))


def _flat(given: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """Dotted keys and their values."""
    found: list[tuple[str, Any]] = []
    for key, value in given.items():
        nested = isinstance(value, Mapping) and f"{prefix}{key}" in TABLES
        found += _flat(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", value)]
    return found


def _checked(key: str, value: Any) -> Any:
    """A value of the right kind."""
    choices = LEVELS if key.startswith("validate.on_") else SEVERITIES if key.startswith("validate.rules.") else ()
    if choices:
        if value not in choices:
            raise _bad(f"has {str(value)[:100]!r} for {key}, which is not one of {', '.join(choices)}", key=key)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise _bad(f"has {str(value)[:100]!r} for {key}, which is not a number from 0", key=key)
    return float(value)


def _bad(problem: str, **named: Any) -> FormatError:
    return FormatError("bad-config", f"The repository's {NAME} {problem}.", hint="tdvc config list", **named)


def values_of(config: Config) -> dict[str, Any]:
    """Every key and its value, whether it was set or not."""
    validation = config.validate
    plain = {f"validate.{f.name}": getattr(validation, f.name) for f in fields(validation) if f.name != "rules"}
    rules = {f"validate.rules.{code}": validation.severity(code) for code in RULES}
    return plain | rules | {"hooks.timeout": config.hooks.timeout}


def set_value(storage: Storage, key: str, text: str) -> Config:
    """Give a key a value and write the file anew; a value that is the usual one is left out.

    Raises:
        FormatError: bad-config, also for a value that does not fit.
        Usage: bad-usage, for an unknown key.
    """
    if key not in MEANINGS:
        raise Usage("bad-usage", f"There is no setting {key[:100]!r}.", hint="tdvc config list", key=key)
    with storage.lock(_LOCK_TIMEOUT_SECONDS):
        values = dict(_flat(_read(storage), ""))
        values[key] = _heard(key, text)
        config = config_from(_nested(values))
        storage.replace(NAME, _spelled(config).encode())
    return config


def _heard(key: str, text: str) -> Any:
    if key.endswith(("_px", "_percent", ".timeout")):
        try:
            return float(text)
        except ValueError as error:
            raise Usage("bad-usage", f"{key} must be a number, got {text[:100]!r}.", key=key) from error
    return text


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *tables, name = key.split(".")
        table = nested
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = value
    return nested


def _spelled(config: Config) -> str:
    """The file, with what differs from the usual alone. Values are words and numbers, which need no escaping."""
    usual = values_of(Config())
    set_here = {key: value for key, value in values_of(config).items() if value != usual[key]}
    lines = []
    for table in TABLES:
        inside = {key: value for key, value in set_here.items() if key.rpartition(".")[0] == table}
        if inside:
            lines += [
                f"[{table}]",
                *(f"{key.rpartition('.')[2]} = {_toml(value)}" for key, value in inside.items()),
                "",
            ]
    return "\n".join(lines)


def _toml(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:.12g}"
