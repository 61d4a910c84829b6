"""Split files: read, find what is wrong within the file, write."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from midog.config.shipped import shipped_dir
from midog.data.columns import alias_note, find_columns, refuse_alike, refuse_doubled
from midog.data.csv_text import Cells, is_number, read_table, spreadsheet_cell, text_of_cell
from midog.data.facts import FURTHER, further_facts, normalise_scanner, parse_mpp
from midog.data.text_file import Problems, file_name_in, raise_problems, read_text, wrong_name
from midog.errors import DataError
from midog.files import replace_text

ROLES = ("train", "val", "test", "unlabelled")
_COLUMNS = ("file_name", "scanner", "patient", "split")


@dataclass(frozen=True)
class SplitRow:
    """One ROI's place.

    split: train, val, test or unlabelled. mpp: um/px, None where not stated. columns: the file's
    further columns, by name.
    """

    file_name: str
    scanner: str
    patient: str
    split: str
    mpp: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """Rows in file order.

    name: the file or shipped name, for messages. notes: what was assumed to read it, one line each.
    """

    name: str
    rows: tuple[SplitRow, ...]
    notes: tuple[str, ...] = ()


def read_split(name: Path | str) -> Split:
    """Read a split; scanner names are normalised.

    Args:
        name: a CSV file, or the name of a shipped split (`midog21`).

    Raises:
        DataError: for a missing column, an unknown role, a file listed twice, a patient in two
            splits, no rows.
    """
    split, problems = scan_split(name)
    raise_problems(problems)
    return split


def scan_split(name: Path | str) -> tuple[Split, Problems]:
    """As `read_split`, but return the rows that can be read and everything that is wrong.

    Raises:
        DataError: where the file as a whole cannot be read.
    """
    path = _find_split(name)
    rows, problems, notes = scan_places(path, _COLUMNS)
    if not rows and not problems:
        raise DataError(f"{path} lists no ROI", "write one line per ROI")
    split = Split(str(name), tuple(rows), tuple(notes))
    return split, problems + problems_within(split)


def scan_places(path: Path, required: Sequence[str]) -> tuple[list[SplitRow], Problems, list[str]]:
    """The rows of a split, or of another table of ROIs and their scanners.

    Args:
        path: the file.
        required: the columns that it must have, of file_name, scanner, patient and split. Where it
            has no patient an ROI's is "", where it has no split it is train.

    Returns:
        The rows that can be read, everything that is wrong, and what was assumed.

    Raises:
        DataError: where the file as a whole cannot be read, or a column would be lost.
    """
    file = read_text(path)
    table = read_table(path, file.text)
    columns = find_columns(table.header, (*_COLUMNS, "mpp", *FURTHER))
    lacking = [column for column in required if column not in columns]
    if lacking:
        names = f"{', '.join(table.header):.200}"
        raise DataError(
            f"{path} has no column {', '.join(lacking)}; its columns are {names}",
            f"write {','.join(required)} as header",
        )
    used = columns.values()
    refuse_doubled(path, table.header, ["mpp"])
    refuse_alike(path, table.header, used, [key for key in ("mpp",) if key not in columns])
    problems: Problems = list(table.problems)
    lines = ((where, _texts(cells)) for where, cells in table.lines)
    parsed = (_parse_row(where, cells, columns, required, problems) for where, cells in lines)
    rows = [row for row in parsed if row]
    return rows, problems, [*file.notes, *table.notes, *alias_note(path.name, columns)]


def shipped_splits() -> dict[str, Path]:
    """The shipped splits by name."""
    files = sorted(shipped_dir("data_splits").glob("*.csv"))
    return {path.stem: path for path in files if not path.stem.endswith("_files")}


def write_split(split: Split, path: Path | str) -> None:
    """Write the CSV that `read_split` reads back to equal rows.

    Left out are further columns that bear a name of the split's own, or hold a line break, as a
    field of an annotation file may. Missing folders are made.

    Raises:
        DataError: where it cannot be written; an old file then stays.
    """
    has_mpp = any(row.mpp is not None for row in split.rows)
    further = [
        {key: value for key, value in row.columns.items() if _can_be_column(key, value)}
        for row in split.rows
    ]
    columns = list(dict.fromkeys(column for cells in further for column in cells))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(["mpp"] if has_mpp else []), *map(_cell, columns)])
    for row, cells in zip(split.rows, further, strict=True):
        mpp = [] if not has_mpp else ["" if row.mpp is None else repr(float(row.mpp))]
        more = [cells.get(column, "") for column in columns]
        texts = map(_cell, [row.file_name, row.scanner, row.patient, row.split])
        writer.writerow([*texts, *mpp, *map(_cell, more)])
    replace_text(Path(path), text.getvalue(), DataError, parents=True)


def problems_within(split: Split) -> Problems:
    """Files listed twice, and patients in two roles of which one is scored.

    A patient may be in train and unlabelled; unlabelled ROIs of a test patient are a leak, once
    something adapts to them.
    """
    problems: Problems = []
    for name, count in Counter(row.file_name for row in split.rows).items():
        if count > 1:
            what = f"{split.name} lists {name} {count} times"
            problems.append(DataError(what, "list each ROI once"))
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in split.rows:
        places[row.patient][row.split].append(row.file_name)
    for patient, roles in places.items():
        if len(roles) > 1 and set(roles) != {"train", "unlabelled"}:
            where = " and in ".join(
                f"{role} ({compact_names(names)})" for role, names in roles.items()
            )
            what = f"{split.name}: patient {patient} is in {where}"
            problems.append(DataError(what, "keep all ROIs of a patient in one split"))
    return problems


def compact_names(names: Iterable[str], most: int = 6) -> str:
    """Names for a message: '001.tiff, 007.tiff, 151.tiff to 200.tiff'.

    Args:
        names: names in any order.
        most: runs of names that are listed; the rest is counted.
    """
    keys = sorted((_numbered(name), name) for name in set(names))
    runs: list[list[str]] = []
    for index, ((prefix, suffix, number), name) in enumerate(keys):
        if index and keys[index - 1][0] == (prefix, suffix, number - 1):
            runs[-1].append(name)
        else:
            runs.append([name])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs[:most]]
    left = sum(len(run) for run in runs[most:])
    return ", ".join(words) + (f" and {left} more" if left else "")


def _find_split(name: Path | str) -> Path:
    path, shipped = Path(name), shipped_splits()
    if path.is_file():
        return path
    if path.parent == Path() and path.name.removesuffix(".csv") in shipped:
        return shipped[path.name.removesuffix(".csv")]
    raise DataError(f"no split file {path}", f"give a CSV file or one of {', '.join(shipped)}")


def _texts(cells: Cells) -> Cells:
    return {column: text_of_cell(cell) for column, cell in cells.items()}


def _parse_row(
    where: str,
    cells: Cells,
    columns: Mapping[str, str],
    required: Sequence[str],
    problems: Problems,
) -> SplitRow | None:
    """One row; columns: by our name, the column that states it."""
    stated = {own: cells[column] for own, column in columns.items()}
    name, where = file_name_in(stated["file_name"]), f"{where} ({stated['file_name']})"
    empty = [column for column in required if not stated[column]]
    if empty:
        fix = "where it is unknown, write 'unknown' as scanner, the file name as patient"
        problems.append(DataError(f"{where}: {empty[0]} is empty", fix))
        return None
    if reason := wrong_name(name):
        problems.append(DataError(f"{where}: its file name {reason}", "write a file name"))
        return None
    role = stated.get("split", "")
    if "split" in required and role not in ROLES:
        near = difflib.get_close_matches(role.lower(), ROLES, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        what = f"{where}: unknown split {role!r}{hint}"
        problems.append(DataError(what, f"write {', '.join(ROLES)}"))
        return None
    if "split" not in required:  # of a table of scanners only 'unlabelled' counts
        role = "unlabelled" if role == "unlabelled" else "train"
    mpp = parse_mpp(where, stated.get("mpp", ""), problems)
    own = further_facts(stated, where, problems)
    further = {
        text_of_cell(key.lower()): value
        for key, value in cells.items()
        if key not in columns.values() and value
    }
    scanner = normalise_scanner(stated.get("scanner", ""))
    return SplitRow(name, scanner, stated.get("patient", ""), role, mpp, {**own, **further})


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, which `scan_places` reads back."""
    return text if is_number(text) else spreadsheet_cell(text)


def _can_be_column(name: str, value: str) -> bool:
    return name.strip().lower() not in (*_COLUMNS, "mpp") and "\n" not in name + value


def _numbered(name: str) -> tuple[str, str, int]:
    """What precedes and follows the last number of a name, and that number."""
    match = re.fullmatch(r"(.*?)([0-9]{1,18})([^0-9]*)", name, re.DOTALL)
    return (match[1], match[3], int(match[2])) if match else (name, "", 0)
