"""Mutations of bytes, text, trees of JSON and command lines: pure functions of a generator."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 10**30, 0.1, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), -float("inf")),
    *("", "0", "1e-4", "yes", "nan", "../../x", "/dev/null/x", "a\x00b", "\x1b[2J", "\u202e", "é"),
    *("x" * 5000, "=1+1", "a/b", ".", "..", "CON", "\ud800", "001.tiff", "9" * 400, "1,5"),
    *([], {}, [[]], [1, 2], [1, 2, 3, 4], {"a": 1}, [None] * 4, {"": ""}),
)
"""What is put in the place of a value."""

_INTERESTING = (0, 1, 127, 128, 255)


def mutated_bytes(rng: random.Random, content: bytes) -> bytes:
    """Flip, insert, delete, repeat or cut bytes, most often near the beginning."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        where = _place(rng, len(data))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[where] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[where] = rng.choice(_INTERESTING)
        elif kind == 2:
            data[where:where] = rng.randbytes(rng.choice((1, 4, 100)))
        elif kind == 3:
            del data[where : where + rng.choice((1, 4, 100))]
        elif kind == 4:
            data[where : where + 4] = rng.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f")
            )
        elif kind == 5:
            data[where:where] = data[where : where + rng.choice((1, 16, 400))] * rng.choice((1, 3))
        else:
            del data[_place(rng, len(data)) :]
    return bytes(data)


def mutated_text(rng: random.Random, text: str) -> bytes:
    """Change cells, lines or the encoding of a table or any other text."""
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind, row = rng.randrange(9), rng.randrange(len(lines))
        cells = lines[row].split(",")
        cell = rng.randrange(len(cells))
        if kind < 3:
            cells[cell] = _cell(rng)
        elif kind == 3:
            cells.insert(cell, _cell(rng))
        elif kind == 4:
            del cells[cell]
        elif kind == 5:
            cells = [*cells, *cells]
        lines[row] = ",".join(cells)
        if kind == 6:
            lines.insert(row, lines[rng.randrange(len(lines))])
        elif kind == 7 and len(lines) > 1:
            del lines[row]
        elif kind == 8:
            lines = [
                line.replace(",", rng.choice((";", "\t", " ", "|", '"', ","))) for line in lines
            ]
    encoding = rng.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16", "latin-1", "utf-16-le"))
    return "\n".join(lines).encode(encoding, "replace")


def mutated_tree(rng: random.Random, tree: Any) -> bytes:
    """Change, drop, double, rename or nest values of a tree, and write it as JSON."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        tree = _changed(rng, tree)
    text = json.dumps(tree)
    kind = rng.randrange(20)
    if kind == 0:
        text = "[" * rng.choice((5, 100, 10_000)) + text
    elif kind == 1:
        text = text.replace(":", f": {'9' * rng.choice((20, 5000))}", 1)
    elif kind == 2:
        text = text.replace("{", '{"a": 1, "a": 2, ', 1)
    elif kind == 3:
        return mutated_bytes(rng, text.encode())
    return text.encode(rng.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16")), "replace")


def mutated_words(rng: random.Random, words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Change, drop, double or add words of a command line."""
    line = list(words)
    for _ in range(rng.choice((1, 1, 2, 3))):
        where, kind = rng.randrange(len(line) + 1), rng.randrange(5)
        word = _cell(rng).replace("\0", "\\0")
        if kind == 0:
            line.insert(where, rng.choice(options))
        elif kind == 1:
            line[where:where] = [rng.choice(options), word]
        elif kind == 2 and where < len(line):
            line[where] = word
        elif kind == 3 and where < len(line):
            del line[where]
        else:
            line.insert(where, word)
    return line


def _place(rng: random.Random, size: int) -> int:
    if size <= 1:
        return 0
    return rng.randrange(min(size, rng.choice((16, 64, 512, size))))


def _cell(rng: random.Random) -> str:
    value = rng.choice(VALUES)
    return value if isinstance(value, str) else json.dumps(value)


def _changed(rng: random.Random, tree: Any) -> Any:
    """A tree with one thing changed somewhere in it; the tree itself is changed in place."""
    if not isinstance(tree, dict | list) or not tree or rng.random() < 0.02:
        return copy.deepcopy(rng.choice(VALUES))
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    key = rng.choice(keys)
    kind = rng.randrange(10)
    if kind < 6:
        tree[key] = _changed(rng, tree[key])
    elif kind == 6:
        del tree[key]
    elif kind == 7:
        tree[key] = [tree[key]] if rng.random() < 0.5 else {"value": tree[key]}
    elif isinstance(tree, list):
        tree.insert(key, copy.deepcopy(tree[key]))
    else:
        new = rng.choice((f" {key}", str(key).upper(), f"{key}s", "", "id", "name", "bbox"))
        tree[new] = tree.pop(key) if kind == 8 else copy.deepcopy(tree[key])
    return tree
