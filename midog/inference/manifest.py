"""A manifest: a CSV that lists images, with what is known of each."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from midog.data.columns import squeeze
from midog.data.csv_text import Table, read_table, text_of_cell
from midog.data.facts import normalise_scanner
from midog.data.mpp import mpp_in
from midog.data.text_file import Problems, file_name_in, read_text, wrong_name
from midog.errors import DataError, ImageError
from midog.images.dicom import slide_in
from midog.inference.image_files import ImageFile
from midog.names import real_path

COLUMNS = ("path", "mpp", "scanner", "patient")
"""Of which path is needed."""

_FIX = f"its columns may be {', '.join(COLUMNS)}"


def is_manifest(path: Path) -> bool:
    """Whether a path that is given for images is one of a manifest."""
    return path.suffix.lower() == ".csv"


def read_manifest(path: Path) -> list[ImageFile]:
    """Read a manifest.

    Its header names the columns: path, and, if they are known, mpp (um/px, or x/y where px are not
    square), scanner and patient. Relative paths are from the manifest's folder. An image in that
    folder or below is named by its folders below (case2/y.tiff), another by its bare name. A path
    may be the folder of one slide (DICOM).

    Returns:
        The images in the order of the lines.

    Raises:
        DataError: Names the first line that is wrong, and counts the others: an unknown column, a
            file that does not exist or is listed twice, um/px that are none.
    """
    file = read_text(path)
    table = read_table(path, file.text)
    columns = _columns(path, table)
    problems: Problems = list(table.problems)
    images: dict[Path, ImageFile] = {}
    for where, cells in table.lines:
        stated = {own: text_of_cell(cells[name]) for own, name in columns.items()}
        image = _image_of(path.parent, where, stated, problems)
        if image is None:
            continue
        first = images.setdefault(real_path(image.path), image)
        if first is not image:
            line = first.stated_in.removeprefix(f"{path} ")
            what = f"{where} lists {stated['path']} again, as {line} does"
            problems.append(DataError(what, "list each image once"))
    if problems:
        more = f" (and {len(problems) - 1} more lines)" if len(problems) > 1 else ""
        raise DataError(problems[0].what + more, problems[0].fix)
    if not images:
        raise DataError(f"{path} lists no image", "write one line per image")
    return list(images.values())


def _columns(path: Path, table: Table) -> dict[str, str]:
    """By our name, the column that states it."""
    columns = {squeeze(name): name for name in table.header}
    for word, name in columns.items():
        if word not in COLUMNS:
            near = difflib.get_close_matches(word, COLUMNS, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise DataError(f"{path}: unknown column {name!r}{hint}", _FIX)
    if "path" not in columns:
        raise DataError(f"{path} has no column path", _FIX)
    return columns


def _image_of(
    folder: Path, where: str, stated: Mapping[str, str], problems: Problems
) -> ImageFile | None:
    """The image of a line; None, and a problem, where it cannot be used."""
    text = stated["path"]
    if reason := wrong_name(file_name_in(text)):
        problems.append(DataError(f"{where}: its path {reason}", "write the path of an image"))
        return None
    try:
        mpp = mpp_in(stated["mpp"]) if stated.get("mpp") else None
        image, name = _file_of(folder, text)
    except (DataError, ImageError) as error:
        problems.append(DataError(f"{where}: {error.what}", error.fix))
        return None
    return ImageFile(
        image,
        name,
        None if mpp is None else mpp.plain,
        normalise_scanner(stated.get("scanner", "")),
        stated.get("patient", ""),
        where,
    )


def _file_of(folder: Path, text: str) -> tuple[Path, str]:
    """The file that a path names, from the manifest's folder, and its name in outputs."""
    spellings = (os.path.expanduser(text), file_name_in(text))
    places = (folder / spelling for spelling in spellings)
    path = next((place for place in places if os.path.lexists(place)), None)
    if path is None:
        raise ImageError(f"{text} does not exist", f"relative paths are from {folder}/")
    if path.is_dir():
        slide = slide_in(path)
        if slide is None:
            raise ImageError(f"{text} is a folder, and no DICOM slide", "list the images in it")
        path = slide
    real, top = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    return path, real.relative_to(top).as_posix() if real.is_relative_to(top) else path.name
