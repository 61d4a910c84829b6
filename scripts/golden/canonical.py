"""What is compared of a file: lines of text, values written to the bit (floats as they read back,
arrays as a digest), under keys that are mapped to those that both versions share."""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from golden.spellings import ADDED_KEYS, IGNORED_KEYS, RENAMED_KEYS, SETTINGS

SEPARATOR = " = "


@dataclass(frozen=True)
class Artefact:
    """Something that came out.

    name: of its row. lines: what is compared, with a document as `key = value`. size: of what it
    stands for, bytes. document: whose keys these are (see RENAMED_KEYS), "" where lines have none.
    """

    name: str
    lines: list[str]
    size: int
    document: str = ""


def of_files(name: str, paths: Sequence[Path]) -> Artefact:
    """Files byte for byte, whatever folder they are in."""
    lines = [f"{path.name} {path.stat().st_size} {_sha(path.read_bytes())}" for path in paths]
    return Artefact(name, lines, sum(path.stat().st_size for path in paths))


def of_numbers(name: str, text: str) -> Artefact:
    """The numbers of a text, in order."""
    return Artefact(name, numbers(text), len(text.encode()))


def of_json(name: str, document: str, text: str) -> Artefact:
    """Leaves of a JSON document by path."""
    return Artefact(name, leaves(json.loads(text)), len(text.encode()), document)


def of_csv(name: str, document: str, text: str) -> Artefact:
    """Cells of a table by column and row."""
    rows = dict(enumerate(csv.DictReader(io.StringIO(text))))
    lines = [
        f"{key} @{row}{SEPARATOR}{cells[key]!r}" for row, cells in rows.items() for key in cells
    ]
    return Artefact(name, lines, len(text.encode()), document)


def of_tensors(name: str, document: str, tree: Any) -> Artefact:
    """Leaves of a state dict or a checkpoint by path."""
    size = sum(leaf.numel() * leaf.element_size() for _, leaf in _walk(tree) if _is_tensor(leaf))
    return Artefact(name, leaves(tree), size, document)


def of_events(name: str, folder: Path) -> Artefact:
    """TensorBoard events: tag, step and value, without time."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    lines, size = [], 0
    for path in sorted(folder.glob("events.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                content = value.tensor.SerializeToString()
                lines.append(f"{value.tag} @{event.step}{SEPARATOR}{len(content)} {_sha(content)}")
                size += len(content)
    return Artefact(name, lines, size, "events")


def of_settings(name: str, tree: Mapping[str, Any]) -> Artefact:
    """Settings by key; a list is one value."""
    return Artefact(name, list(_setting_lines(tree)), len(json.dumps(tree)), "settings")


def shared_text(artefact: Artefact) -> str:
    """What is compared: lines as they are; of a document those that count, by shared key."""
    if not artefact.document:
        return "\n".join(artefact.lines)
    shared = []
    for line in artefact.lines:
        key, _, value = line.partition(SEPARATOR)
        if (named := shared_key(artefact.document, key)) is not None:
            shared.append(f"{named}{SEPARATOR}{value}")
    return "\n".join(sorted(shared))


def shared_key(document: str, key: str) -> str | None:
    """The key under which a value is compared; None where it is not."""
    for pattern, old, new in (*RENAMED_KEYS, *_renamed_settings()):
        if fnmatch.fnmatch(document, pattern):
            key = re.sub(old, new, key)
    left_out = (
        each for pattern, each in (*IGNORED_KEYS, *ADDED_KEYS) if fnmatch.fnmatch(document, pattern)
    )
    return None if any(re.fullmatch(each, key) for each in left_out) else key


def leaves(tree: Any) -> list[str]:
    """Lines `path = value` of nested values."""
    return [
        array_line(path, leaf)[0] if _is_tensor(leaf) else f"{path}{SEPARATOR}{leaf!r}"
        for path, leaf in _walk(tree)
    ]


def numbers(text: str) -> list[str]:
    """Numbers that stand alone, as they are written; digits within a word are part of a name."""
    plain = text.replace("−", "-")
    return re.findall(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)", plain)


def array_line(name: str, value: Any) -> tuple[str, int]:
    """One line of an array, a tensor or a list: type, shape and digest; and its bytes."""
    array = np.ascontiguousarray(value.detach().cpu().numpy() if _is_tensor(value) else value)
    digest = _sha(array.tobytes())
    return f"{name}{SEPARATOR}{array.dtype} {list(array.shape)} {digest}", array.nbytes


def _renamed_settings() -> Iterator[tuple[str, str, str]]:
    """Rules that lead the later spellings of a setting back to its key of before."""
    for key, templates in SETTINGS.items():
        for template in templates:
            if template.endswith("={}") and ";" not in template:
                yield "settings", f"^{re.escape(template.removesuffix('={}'))}$", key


def _walk(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping) and tree:
        items: Any = tree.items()
    elif isinstance(tree, list | tuple) and tree:
        items = enumerate(tree)
    else:
        yield path, tree
        return
    for key, below in items:
        yield from _walk(below, f"{path}/{key}" if path else str(key))


def _setting_lines(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _setting_lines(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}{SEPARATOR}{json.dumps(value)}"


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.startswith("torch") and hasattr(value, "detach")


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
