"""JSON: read with one error for whatever is wrong with it, written without NaN."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from midog.errors import MidogError
from midog.files import read_bytes

_DEPTH = 64
_Checked = TypeVar("_Checked")


def read_json(path: Path, kind: type[MidogError] = MidogError, fix: str = "") -> Any:
    """Read a JSON file.

    Args:
        path: A regular file of at most 1 GiB, in UTF-8, UTF-16 or UTF-32.
        kind: The error to raise.
        fix: What to do about a file that is not JSON.

    Returns:
        What the file holds. NaN and Infinity are read, as many writers write them.

    Raises:
        MidogError: Of that kind: the file cannot be read, is not JSON, is nested deeper than 64,
            holds a number of more than 4,300 digits, or names a key twice in one object.
    """
    return parse_json(read_bytes(path, kind), str(path), kind, fix)


def parse_json(
    text: str | bytes,
    where: str,
    kind: type[MidogError] = MidogError,
    fix: str = "",
    *,
    equal_twice: bool = False,
) -> Any:
    """Parse JSON text; see `read_json`.

    Args:
        text: The text, or its bytes.
        where: What it is, for the error.
        kind: The error to raise.
        fix: What to do about text that is not JSON.
        equal_twice: A key may be named twice in an object with one value, as QuPath does.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text))
        hook = _equal_twice if equal_twice else _no_key_twice
        tree = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=hook)
    except RecursionError:
        raise kind(f"{where} is nested deeper than {_DEPTH}", fix) from None
    except UnicodeDecodeError as error:
        raise kind(f"{where} is not text: {error.reason} at byte {error.start:,}", fix) from None
    except json.JSONDecodeError as error:
        raise kind(f"{where} is not JSON: {error}", fix) from None
    except ValueError as error:  # a key twice, too many digits
        raise kind(f"{where} is not JSON that can be read: {_first(error)}", fix) from None
    if _is_deep(tree):
        raise kind(f"{where} is nested deeper than {_DEPTH}", fix)
    return tree


def checked(
    tree: Any,
    shape: type[_Checked],
    where: str,
    kind: type[MidogError] = MidogError,
    fix: str = "",
) -> _Checked:
    """Check what JSON holds against a type.

    Args:
        tree: What `read_json` returned.
        shape: A dataclass, TypedDict, pydantic model or any type that pydantic knows. A whole
            number counts as a float; nothing else is converted.
        where: What the tree is of, for the error.
        kind: The error to raise.
        fix: What to do about it.

    Returns:
        The tree as that type.

    Raises:
        MidogError: Of that kind; names the first value that does not fit, and how many do not.
    """
    try:
        value: _Checked = _adapter(cast("Hashable", shape)).validate_json(
            json.dumps(tree), strict=True
        )
        return value
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first, more = problems[0], len(problems) - 1
        place = ".".join(map(str, first["loc"]))
        what = f"{where}: {f'{place!r}: ' if place else ''}{first['msg']}"
        what += "" if first["type"] == "missing" else f", not {_short(first['input'])}"
        raise kind(what + (f" (and {more} more)" if more else ""), fix) from None


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold, at any depth.

    Args:
        value: Numbers, texts, None, mappings, lists, tuples, numpy arrays and numbers, tensors.

    Returns:
        The same with None for NaN, and lists for arrays and tuples.
    """
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number that float() takes; true and false are none."""
    most = sys.float_info.max  # a whole number may have any number of digits; NaN compares false
    return isinstance(value, int | float) and not isinstance(value, bool) and -most <= value <= most


def to_json(value: Any, *, indent: int | None = 1, ascii_only: bool = True) -> str:
    """Write a value as JSON text without NaN (null) that ends in a line break.

    Args:
        value: Whatever `plain` takes.
        indent: Spaces per level; None: all on one line.
        ascii_only: Escape other letters.

    Raises:
        ValueError: If a number is infinite.
    """
    return json.dumps(plain(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False) + "\n"


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; the last of two equal keys would win without a word."""
    tree = dict(pairs)
    if len(tree) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {_short(twice)} is named twice in one object")
    return tree


def _equal_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which a key may stand twice with equal values."""
    tree = dict(pairs)
    if len(tree) < len(pairs) and any(tree[name] != value for name, value in pairs):
        return _no_key_twice(pairs)
    return tree


def _is_deep(tree: Any) -> bool:
    """Whether lists and objects are nested deeper than the bound."""
    level = [tree]
    for _ in range(_DEPTH):
        level = [inner for node in level for inner in _children(node) if _is_nested(inner)]
        if not level:
            return False
    return True


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _is_nested(node: Any) -> bool:
    return isinstance(node, dict | list)


def _first(error: ValueError) -> str:
    """The first sentence of what Python says; the second is for programmers."""
    return str(error).partition(";")[0]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
