"""Records of a MIDOG or COCO JSON: its three lists, checked record by record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midog.data.annotations.other_kinds import kind_of_json
from midog.data.annotations.reader import AnnotationFile
from midog.data.columns import alias_note, find_columns, looks_like, unused_note
from midog.data.csv_text import MOST_LINES
from midog.data.facts import FACTS, with_facts
from midog.data.roi import Roi
from midog.data.text_file import Problems, file_name_in, wrong_name
from midog.errors import DataError
from midog.json_text import parse_json

LISTS = ("images", "categories", "annotations")

_MOST_NODES = 3_000_000
_SCALAR = (str, int, float)
_TOP = {*LISTS, "info", "licenses", "type"}
_IMAGE = {
    "id",
    "file_name",
    "width",
    "height",
    "license",
    "coco_url",
    "flickr_url",
    "date_captured",
    "mpp",
}
_ANNOTATION = {
    "id",
    "image_id",
    "category_id",
    "bbox",
    "area",
    "segmentation",
    "iscrowd",
    "ignore",
    "labels",
}


@dataclass(eq=False)
class JsonNotes:
    """What is seen of a file beside its figures, for its notes.

    name: of the file. images, annotations: names of their fields. further: lists of the file that
    are not read. columns: facts of images by our name. text_ids: ids that are text in one list and
    numbers in the other.
    """

    name: str
    images: dict[str, None] = field(default_factory=dict)
    annotations: dict[str, None] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    text_ids: int = 0

    def see_annotation(self, record: Mapping[str, Any]) -> None:
        """Note the fields of an annotation."""
        if not record.keys() <= self.annotations.keys():
            self.annotations.update(dict.fromkeys(record))

    def lines(self) -> list[str]:
        """The notes, one line each."""
        stated = {key: column for key, column in self.columns.items() if key != "tumour"}
        lines = alias_note(self.name, stated)
        lacking = [key for key in ("patient", "scanner", "mpp") if key not in self.columns]
        for key, words in looks_like(self.images, self.columns.values(), lacking).items():
            lines.append(
                f"{self.name}: images have a field {words[0]!r}, which is not used as {key}; rename"
                f" it to {key} if it is one"
            )
        further = [key for key in self.annotations if key not in _ANNOTATION]
        lines += unused_note(f"{self.name}, annotations", further, ())
        if self.text_ids:
            lines.append(
                f"{self.name}: {self.text_ids} ids are text in one list, numbers in another"
            )
        return lines


@dataclass(eq=False)
class Ids:
    """The ids of a list, found by annotations whether they write them as numbers or as text.

    known: records by id. by_text: how many were found in the other form.
    """

    known: Mapping[Any, Any]
    by_text: int = 0

    def find(self, key: Any) -> Any:
        """The id as its own list writes it, None where it lists no such one."""
        if key in self.known:
            return key
        other: Any = None
        if isinstance(key, str) and key.isascii() and key.isdigit() and str(int(key[:18])) == key:
            other = int(key)
        elif isinstance(key, int) or (isinstance(key, float) and key.is_integer()):
            other = str(int(key))
        if other is None or other not in self.known:
            return None
        self.by_text += 1
        return other


def lists_of(file: AnnotationFile) -> dict[str, list[Any]]:
    """The three lists of the file; DataError where it is not JSON or lacks one."""
    fix = "give a MIDOG or COCO annotation file"
    tree = parse_bounded(file.path, file.text, fix)
    kind = kind_of_json(tree)
    if kind is not None:
        raise kind.error(file.path)
    for key in LISTS:
        if not isinstance(tree, dict) or not isinstance(tree.get(key), list):
            raise DataError(f"{file.path} has no list '{key}'", fix)
        if len(tree[key]) > MOST_LINES:
            what = f"{file.path} has {len(tree[key]):,} {key}; at most {MOST_LINES:,} are read"
            raise DataError(what, "split it")
    return {key: tree[key] for key in LISTS}


def parse_bounded(path: Path, text: str, fix: str, *, equal_twice: bool = False) -> Any:
    """The JSON of a file that does not hold more than fits in memory.

    Args:
        path: the file, for messages.
        text: its text.
        fix: what to do about one that is not JSON.
        equal_twice: as `parse_json`.

    Raises:
        DataError: as `parse_json`, and for over 3,000,000 objects and lists.
    """
    if (nodes := text.count("{") + text.count("[")) > _MOST_NODES:
        what = f"{path} has {nodes:,} objects and lists; at most {_MOST_NODES:,} are read"
        raise DataError(what, "split it")  # before they fill the memory
    return parse_json(text, str(path), DataError, fix, equal_twice=equal_twice)


def records(
    path: Path, kind: str, listed: list[Any], keys: str, problems: Problems
) -> Iterator[tuple[str, Any]]:
    """The records that have all keys and an id of their own, each with words that name it.

    What is yielded under a key is a scalar, and thus hashable, but for bbox, which is a list.
    """
    seen: set[Any] = set()
    for number, record in enumerate(listed, 1):
        fields = record if isinstance(record, dict) else {}
        own = fields.get("id")
        where = f"{path}: {kind} {own if _is_scalar(own) else f'number {number}'}"
        lacking = [
            key
            for key in keys.split()
            if not (
                isinstance(fields.get(key), list) if key == "bbox" else _is_scalar(fields.get(key))
            )
        ]
        if lacking:
            what = f"{where} has no {lacking[0]!r} that can be used"
            problems.append(DataError(what, "correct that record"))
        elif own in seen:
            what = f"{where} is listed twice"
            problems.append(DataError(what, f"give each {kind} an id of its own"))
        else:
            seen.add(own)
            yield where, fields


def read_images(
    path: Path, listed: list[Any], problems: Problems, notes: JsonNotes
) -> dict[Any, Roi]:
    """Images by id, in file order, as ROIs without boxes but with all that is stated of them."""
    images: dict[Any, Roi] = {}
    names: set[str] = set()
    for where, record in records(path, "image", listed, "id", problems):
        columns = find_columns(record, ["file_name", *FACTS])
        wrong = [field for field in columns.values() if isinstance(record[field], list | dict)]
        written = record.get(columns.get("file_name", ""))
        if wrong or not _is_scalar(written):
            what = f"{where} has no {(wrong or ['file_name'])[0]!r} that can be used"
            problems.append(DataError(what, "correct that record"))
            continue
        name = file_name_in(str(written))
        if reason := wrong_name(name):
            problems.append(DataError(f"{where}: its file name {reason}", "write a file name"))
            continue
        if name in names:
            what = f"{where}: file name {name} is listed twice"
            problems.append(DataError(what, "list each image once"))
            continue
        names.add(name)
        notes.images.update(dict.fromkeys(record))
        notes.columns |= columns
        facts = {key: _text(record[column]) for key, column in columns.items() if key in FACTS}
        roi = Roi(name, columns=_further(record, columns.values()))
        images[record["id"]] = with_facts(roi, facts, f"{where} ({name})", problems)
    return images


def is_ignored(where: str, record: Mapping[str, Any], problems: Problems) -> bool | None:
    """Whether a box is one to ignore (COCO's iscrowd, or ignore); None for a problem."""
    for key in ("iscrowd", "ignore"):
        value = record.get(key) or 0
        if value not in (0, 1, "0", "1"):
            problems.append(DataError(f"{where}: {key} is {value!r:.80}", "write 0 or 1"))
            return None
        if value in (1, "1"):
            return True
    return False


def _further(record: Mapping[str, Any], used: Any) -> dict[str, str]:
    """The further fields of an image, as text."""
    return {
        key: str(value)
        for key, value in record.items()
        if isinstance(value, _SCALAR) and key not in _IMAGE and key not in used
    }


def _text(value: Any) -> str:
    """A value as a cell of a table would hold it; "" for null."""
    return "" if value is None else str(value).strip()


def _is_scalar(value: Any) -> bool:
    """Whether a value can be an id or a name: text, or a number that is one."""
    return isinstance(value, _SCALAR) and not isinstance(value, bool) and value == value
