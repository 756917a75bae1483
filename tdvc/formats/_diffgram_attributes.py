"""Attributes of Diffgram: values by the id of a group, and the groups in a list of their own.

An option is an object with id and name, several are a list of them or a tree by id; in tdvc they are their names. What
the names do not say is kept beside, by the name of the attribute, and counts as long as it still leads to the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tdvc.formats._carry import is_text
from tdvc.model import numbers
from tdvc.model.numbers import Number

_FIRST_NEW_ID = 1_000_000  # far from those that Diffgram gives out


def groups_of(reference: Any) -> dict[str, tuple[str, str]]:
    """Name and kind of every group by its id as text; names that occur twice get the id behind them."""
    found: dict[str, tuple[str, str]] = {}
    names: set[str] = set()
    for group in reference if isinstance(reference, list) else ():
        if not isinstance(group, dict) or not isinstance(group.get("id"), str):
            continue
        identity = str(group["id"])
        name = next((str(group[key]) for key in ("name", "prompt") if is_text(group.get(key)) and group[key]), identity)
        name = f"{name} ({identity})" if name in names else name
        names.add(name)
        found[identity] = name, str(group.get("kind") or "")
    return found


def read_attributes(values: Any, groups: dict[str, tuple[str, str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of an instance, and what is kept of each."""
    attributes: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for identity, value in values.items() if isinstance(values, dict) else ():
        if value is None:
            continue
        name, kind = groups.get(identity, (identity, ""))
        attributes[name] = simple(value)
        kept[name] = {"group": identity} | ({"kind": kind} if kind else {})
        if attributes[name] != value:
            kept[name]["value"] = value
    return attributes, kept


def simple(value: Any) -> Any:
    """A value with options as their names."""
    if isinstance(value, dict):
        if is_text(value.get("name")):
            return value["name"]
        if value and all(isinstance(option, dict) and is_text(option.get("name")) for option in value.values()):
            return [option["name"] for _, option in sorted(value.items())]
    if isinstance(value, list) and all(isinstance(option, dict) and is_text(option.get("name")) for option in value):
        return [option["name"] for option in value]
    return value


@dataclass(slots=True)
class Groups:
    """The groups that an export uses, with the options that it uses."""

    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _next: int = _FIRST_NEW_ID

    def write(self, attributes: dict[str, Any], kept: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values by group, and the attributes that no group can say."""
        values: dict[str, Any] = {}
        unsaid: dict[str, Any] = {}
        for name, value in attributes.items():
            known = kept.get(name) if isinstance(kept, dict) else None
            known = known if isinstance(known, dict) and is_text(known.get("group")) else {}
            raw = known.get("value", value)
            if not known or simple(raw) != value:
                raw = value
                if not isinstance(value, str):
                    unsaid[name] = value
                    continue
            identity = self._group(name, raw, known)
            if isinstance(known.get("value"), dict) and is_text(raw):
                raw = self._option(identity, raw)
            values[identity] = raw
            self._note_options(identity, raw)
        return values, unsaid

    def _group(self, name: str, raw: Any, known: dict[str, Any]) -> str:
        identity = known.get("group") or self._ids.get(name)
        if identity is None:
            identity = str(self._next)
            self._next += 1
        self._ids.setdefault(name, identity)
        if identity not in self.by_id:
            kind = known.get("kind") or ("slider" if isinstance(raw, Number) else "text")
            self.by_id[identity] = {"name": name, "kind": kind}
        return str(identity)

    def _option(self, identity: str, name: str) -> dict[str, Any]:
        """The option of that name, a new one where the group has none."""
        options = self.options.setdefault(identity, {})
        found = next((option for option in options.values() if option.get("name") == name), None)
        if found is None:
            self._next += 1
            found = {"id": Number(self._next), "name": name}
        return found

    def _note_options(self, identity: str, raw: Any) -> None:
        options = self.options.setdefault(identity, {})
        if isinstance(raw, dict):
            raw = [raw] if is_text(raw.get("name")) else [{"id": key, **option} for key, option in raw.items()]
        for option in raw if isinstance(raw, list) else ():
            if isinstance(option, dict) and isinstance(option.get("id"), str):
                options.setdefault(str(option["id"]), option)

    def reference(self) -> list[dict[str, Any]]:
        """`attribute_groups_reference` of all that was written."""
        return [
            {
                "id": _number(identity),
                "kind": group["kind"],
                "name": group["name"],
                "prompt": group["name"],
                "is_root": True,
                "attribute_template_list": [
                    {"id": _number(key), "name": option.get("name"), "group_id": _number(identity)}
                    for key, option in sorted(self.options.get(identity, {}).items())
                ],
            }
            for identity, group in sorted(self.by_id.items())
        ]


def _number(identity: str) -> Any:
    """An id as the number it is, else as text."""
    return (
        Number(identity) if identity.isascii() and identity.isdigit() and str(int(identity)) == identity else identity
    )


def plain_id(value: Any) -> int | None:
    """An id that is a number, as one."""
    number = numbers.plain(value)
    return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None
