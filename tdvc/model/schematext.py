"""A schema as a file that people edit: TOML or JSON, both with every field and every number as it was spelled.

The file says what the canonical bytes say, in a layout for reading: labels by index, attributes and templates by key,
what has its usual value left out. Two things may be left out of it that the bytes have: a label's `name`, which is
then its key, and its `index`, which is then the one it has had, or the next free one. The first line names the JSON
Schema of the file, by which editors complete and check it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

from tdvc.errors import SchemaError
from tdvc.model import numbers
from tdvc.model.numbers import Number, whole
from tdvc.model.schema import MisplacedError, Schema, plain, schema_from
from tdvc.model.schemacheck import schema_problems

JSON_SCHEMA_FILE = "schema.schema.json"
"""What the JSON Schema of these files is called; a schema file expects it beside itself."""

FILE_TYPES = ("toml", "json")
MAX_BYTES = 16 << 20
_SHOWN_PROBLEMS = 5

_HEAD = f"""#:schema ./{JSON_SCHEMA_FILE}
# What labels mean. Keys are lasting, names can change. tdvc schema import FILE makes it the schema.
"""
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LINE_IN_MESSAGE = re.compile(r"\(at line (\d+), column \d+\)")


# reading


def read_schema_text(content: bytes, name: str, before: Schema | None = None) -> Schema:
    """The schema in a file, checked.

    Args:
        content: TOML or JSON; which of them is told by the first character.
        name: what the file is called, for errors.
        before: the schema whose labels keep their index where the file has none.

    Raises:
        SchemaError: bad-schema, with the file, the line where it is known, and the place such as `labels.dog.types`.
    """
    text = _decoded(content, name)
    is_json = text.lstrip().startswith("{")
    given = _parse_json(text, name) if is_json else _parse_toml(text, name)
    lines = "" if is_json else text
    given.pop("$schema", None)
    try:
        schema = schema_from(_completed(given, before or Schema()))
        schema.encode()
    except MisplacedError as error:
        raise _bad(name, str(error), _line_of(lines, error.place), error.place) from error
    except (ValueError, TypeError) as error:
        raise _bad(name, str(error)) from error
    problems = list(schema_problems(schema))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        shown = [str(problem) for problem in problems[:_SHOWN_PROBLEMS]]
        first = problems[0]
        raise _bad(name, f"{first}{more}", _line_of(lines, first.path), first.path, problems=shown)
    return schema


def _bad(name: str, problem: str, line: int | None = None, place: str = "", **more: Any) -> SchemaError:
    where = f"{name}, line {line}" if line else name
    return SchemaError("bad-schema", f"{where}: {problem}.", file=name, line=line, place=place, **more)


def _decoded(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise _bad(name, f"longer than {MAX_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(name, "not UTF-8", content[: error.start].count(b"\n") + 1) from error


def _parse_json(text: str, name: str) -> dict[str, Any]:
    try:
        found = numbers.parse(text)
    except json.JSONDecodeError as error:
        raise _bad(name, f"not JSON: {error.msg}", error.lineno) from error
    except ValueError as error:
        raise _bad(name, f"not JSON: {error}") from error
    return dict(found)


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(text, parse_float=_number)
    except (ValueError, RecursionError) as error:
        at = _LINE_IN_MESSAGE.search(str(error))
        problem = _LINE_IN_MESSAGE.sub("", str(error)).strip() or "nested too deep"
        raise _bad(name, f"not TOML: {problem}", int(at[1]) if at else None) from error
    return {key: _as_json(value) for key, value in found.items()}


def _number(text: str) -> Number:
    return Number(text.replace("_", "").removeprefix("+"))


def _as_json(value: Any) -> Any:
    """What TOML has and JSON has not, as text."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, list) else value


def _completed(given: dict[str, Any], before: Schema) -> dict[str, Any]:
    """With the names and indexes that the file leaves out, and formats that were spelled as JSON in text."""
    labels = given.get("labels")
    if not isinstance(labels, dict) or not all(isinstance(label, dict) for label in labels.values()):
        return given
    taken = [label["index"] for label in labels.values() if isinstance(label.get("index"), int | Number)]
    free = max([before.next_index(), *(number + 1 for index in taken if (number := whole(str(index))) is not None)])
    completed = {}
    for key, label in labels.items():
        former = before.labels.get(key)
        filled = {"name": key, **label}
        if "index" not in label:
            filled["index"] = former.index if former else free
            free += former is None
        if isinstance(label.get("formats"), dict):
            filled["formats"] = {name: _unwrapped(said) for name, said in label["formats"].items()}
        completed[key] = filled
    return {**given, "labels": completed}


def _unwrapped(said: Any) -> Any:
    return numbers.parse(said) if isinstance(said, str) and not isinstance(said, Number) else said


def _line_of(text: str, place: str) -> int | None:
    """The line of a TOML file that a place is on, as far as its layout tells; else that of its table, else None."""
    section, _, rest = place.partition(".")
    lines = text.split("\n")
    table: int | None = None
    wanted = ""
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if stripped.startswith("["):
            if table is not None:
                return table
            key = _key_in_header(stripped, section)
            if key is not None and (rest == key or rest.startswith(f"{key}.")):
                table, wanted = number, rest[len(key) + 1 :].partition(".")[0].partition("[")[0]
        elif re.match(rf"{re.escape(wanted if table else section)}\s*=", stripped) and (wanted or not rest):
            return number
    return table


def _key_in_header(line: str, section: str) -> str | None:
    found = re.match(rf"\[{re.escape(section)}\.(.+)\]\s*(?:#.*)?$", line)
    if not found:
        return None
    try:
        return str(next(iter(tomllib.loads(f"{found[1]} = 0"))))
    except ValueError:
        return None


# writing


def schema_text(schema: Schema, file_type: str = "toml") -> str:
    """The file of a schema, in TOML or JSON. Raises ValueError for another type of file."""
    if file_type == "toml":
        return _HEAD + "\n" + "\n".join(_toml_lines(_laid_out(schema))) + "\n"
    if file_type == "json":
        return _json_text({"$schema": f"./{JSON_SCHEMA_FILE}", **_laid_out(schema)}, "\n") + "\n"
    raise ValueError(f"{file_type!r} is no type of schema file; known: {', '.join(FILE_TYPES)}")


def _laid_out(schema: Schema) -> dict[str, Any]:
    """The fields in the order of the file."""
    found = plain(schema)
    head = {name: found.pop(name) for name in ("locked", "file_attributes", "sequence_attributes") if name in found}
    labels = {label.key: plain(label) for label in schema.in_order()}
    sections = {name: dict(sorted(found[name].items())) for name in ("attributes", "templates") if name in found}
    return {"version": 1, **head, "labels": labels, **sections}


def _toml_lines(document: Mapping[str, Any]) -> Iterator[str]:
    sections = {name: value for name, value in document.items() if isinstance(value, Mapping)}
    for name, value in document.items():
        if name not in sections:
            yield f"{name} = {_toml(value)}"
    for section, definitions in sections.items():
        for key, fields in definitions.items():
            yield ""
            yield f"[{section}.{_toml_key(key)}]"
            yield from (f"{name} = {_toml_field(name, value)}" for name, value in fields.items())


def _toml_field(name: str, value: Any) -> str:
    if name == "options":
        return "[\n" + "".join(f"  {_toml(option)},\n" for option in value) + "]"
    if name == "formats":
        value = {key: _wrapped(said) for key, said in value.items()}
    if name == "guide" and "\n" in value:
        return _toml_lines_of_text(value)
    return _toml(value)


def _wrapped(said: Any) -> Any:
    """What a format says, as JSON in text where it has a null, for which TOML has no word."""
    return numbers.spell(said).decode() if _has_null(said) else said


def _has_null(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_null, value.values()))
    return any(map(_has_null, value)) if isinstance(value, list | tuple) else value is None


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number | int | float):
        return numbers.spell(value).decode()
    if isinstance(value, str):
        return _toml_text(value)
    if isinstance(value, Mapping):
        items = ", ".join(f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    raise ValueError("TOML has no word for null")


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else f'"{_escaped(key)}"'


def _toml_text(text: str) -> str:
    """A string, without escapes where that is possible: patterns are full of backslashes."""
    if ('"' in text or "\\" in text) and "'" not in text and text.isprintable():
        return f"'{text}'"
    return f'"{_escaped(text)}"'


def _toml_lines_of_text(text: str) -> str:
    """A string over several lines."""
    safe = text.replace("\\", "\\\\").replace('"""', '""\\"')
    safe = safe[:-1] + '\\"' if safe.endswith('"') and not safe.endswith('\\"') else safe
    return '"""\n' + "".join(c if c == "\n" else _escaped_control(c) for c in safe) + '"""'


def _escaped(text: str) -> str:
    return "".join(map(_escaped_control, text.replace("\\", "\\\\").replace('"', '\\"')))


def _escaped_control(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character >= " " and character != "\x7f" else f"\\u{ord(character):04x}"


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\t"}


def _json_text(value: Any, newline: str) -> str:
    """JSON over lines, but what is short and holds nothing nested on one."""
    if isinstance(value, Mapping):
        nested = any(isinstance(item, Mapping | list) for item in value.values())
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_json_text(v, newline + '  ')}" for key, v in value.items()]
        return _enclosed("{", items, "}", newline if nested or len(items) > 3 else "")
    if isinstance(value, list):
        nested = any(isinstance(item, Mapping) for item in value)
        return _enclosed("[", [_json_text(item, newline + "  ") for item in value], "]", newline if nested else "")
    return numbers.spell(value).decode()


def _enclosed(opening: str, items: list[str], closing: str, newline: str) -> str:
    if not items or not newline:
        return f"{opening}{', '.join(items)}{closing}"
    return f"{opening}{newline}  {f',{newline}  '.join(items)}{newline}{closing}"
