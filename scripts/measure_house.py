"""Measure checkouts against the limits of the house: scripts/measure_house.py [CHECKOUT …]"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES, FUNCTION_LINES, COLUMNS = 300, 60, 100


def python_files(checkout: Path) -> list[Path]:
    """Modules of the package, sorted."""
    return sorted((checkout / "midog").rglob("*.py"))


def long_files(checkout: Path) -> list[str]:
    """Files of more than FILE_LINES lines."""
    counts = {path: path.read_text().count("\n") for path in python_files(checkout)}
    return [f"{path}: {count}" for path, count in counts.items() if count > FILE_LINES]


def long_functions(checkout: Path) -> list[str]:
    """Functions whose body has more than FUNCTION_LINES lines."""
    return [
        f"{path}:{function.lineno} {function.name}: {_length(function)}"
        for path in python_files(checkout)
        for function in _functions(path)
        if _length(function) > FUNCTION_LINES
    ]


def long_lines(checkout: Path) -> list[str]:
    """Lines of more than COLUMNS columns."""
    return [
        f"{path}:{number}"
        for path in python_files(checkout)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > COLUMNS
    ]


def takes_whole_config(checkout: Path) -> list[str]:
    """Functions with a parameter of type RunConfig."""
    return [
        f"{path}:{function.lineno} {function.name}"
        for path in python_files(checkout)
        for function in _functions(path)
        if any("RunConfig" in ast.unparse(note) for note in _annotations(function))
    ]


def named(checkout: Path, name: str) -> list[str]:
    """Places where a variable of that name is assigned, in loops and comprehensions too."""
    return [
        f"{path}:{node.lineno}"
        for path in python_files(checkout)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
    ]


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of its body: neither docstring nor parameters, which declare a command's options."""
    has_docstring = ast.get_docstring(function) is not None and len(function.body) > 1
    first = function.body[1] if has_docstring else function.body[0]
    return (function.end_lineno or 0) - first.lineno + 1


def _annotations(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation is not None:
            yield argument.annotation


def main(checkouts: list[Path]) -> None:
    """Print a table, a column per checkout."""
    measures = {
        f"files over {FILE_LINES} lines": long_files,
        f"functions over {FUNCTION_LINES} lines": long_functions,
        f"lines over {COLUMNS} columns": long_lines,
        "functions that take the whole config": takes_whole_config,
        "variables named `each`": lambda checkout: named(checkout, "each"),
        "variables named `found`": lambda checkout: named(checkout, "found"),
        "variables named `known`": lambda checkout: named(checkout, "known"),
    }
    for name, measure in measures.items():
        print(f"{name:40}", *(f"{len(measure(checkout)):6}" for checkout in checkouts))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [Path()])
