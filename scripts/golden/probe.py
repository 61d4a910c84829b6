"""Runs inside a checkout (on PYTHONPATH): answers a question on stdin, as JSON on stdout.

Questions: {"spell": [settings, ...]}, {"settings": [config, ...]}, {"pure": [topic, ...]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # where the package `golden` is

from golden import lookup  # noqa: E402


def answer(question: dict[str, Any]) -> Any:
    """Plain JSON values."""
    if "spell" in question:
        return [lookup.spell(settings) for settings in question["spell"]]
    if "settings" in question:
        return lookup.shipped_settings(question["settings"])
    return {topic: numbers_of(topic) for topic in question["pure"]}


def numbers_of(topic: str) -> tuple[list[str], int, str]:
    """Lines of a topic's arrays, their bytes, and the error that ended them, "" without one."""
    from golden.canonical import array_line
    from golden.pure import TOPICS

    lines, size = [], 0
    try:
        for name, value in TOPICS[topic]():
            line, more = array_line(name, value)
            lines, size = [*lines, line], size + more
    except Exception as error:  # whatever a function of another version raises
        return lines, size, f"{type(error).__name__}: {error}"
    return lines, size, ""


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
