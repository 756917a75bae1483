"""JSON from outside, read strictly: what two readers could understand differently is refused.

Most parsers let the last of two equal keys win without a word, which loses annotations; here that is an
error.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from tdvc.formats._folder import shortened
from tdvc.model.numbers import MAX_DEPTH, Number


def parse_strictly(text: bytes) -> Any:
    """Parse one JSON text, numbers as `Number`.

    Raises:
        ValueError: not UTF-8, not JSON, NaN or an infinity, a key given twice, a lone surrogate, or nested
            deeper than
            `numbers.MAX_DEPTH`; the end of a sentence.
    """
    try:
        value = json.loads(
            text.decode(),
            parse_float=Number,
            parse_int=Number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise ValueError(f"nests deeper than {MAX_DEPTH} levels") from error
    _check_depth(value)
    if rb"\ud" in text.lower():
        _check_surrogates(value)
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"holds {text}, which is not a JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"gives the key {shortened(key)} twice")
        found[key] = value
    return found


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error


def _check_depth(value: Any) -> None:
    level = [value]
    for _depth in range(MAX_DEPTH + 1):
        below = [item for item in level if isinstance(item, (dict, list))]
        if not below:
            return
        level = [inner for item in below for inner in (item.values() if isinstance(item, dict) else item)]
    raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
