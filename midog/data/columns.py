"""COLUMNS: what annotation and split files may state of an image or figure, under which names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from midog.errors import DataError


@dataclass(frozen=True)
class Column:
    """One thing that a column, or a field of a JSON, can state.

    name: our name of it.
    aliases: other names of it, squeezed, in the order in which one is preferred.
    alike: regular expression of squeezed names that look like it, and would be lost if they were
        left out without a word; "" for none.
    means: what it holds, for the error.
    """

    name: str
    aliases: str = ""
    alike: str = ""
    means: str = ""


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column(
            "file_name",
            "file imagename imagefilename imagefile imgname imgfile imagepath filepath"
            " imgpath path image img slide slidename slidefile slidefilename wsi wsiname roiname"
            " roifile tiffname",
        ),
        Column(
            "label",
            "labels class cls classname classlabel category categoryname type celltype celllabel"
            " cellclass labelname figuretype mitosistype annotationlabel annotationclass"
            " objectclass classification",
            "class|label|categor|kind|mito[st]|annotation(?!s?id)|hardneg|impost|lookalike"
            "|consensus|diagnos|truth|^gt|^type|celltype|^tag|verdict|majority|target|gold|^ismf"
            "|^mf|^name$|^y?true$|status|exclud|reject|verif|positiv|negativ|ambig|uncertain",
            "a class (mitotic figure or imposter)",
        ),
        Column("category_id", "catid classid labelid"),
        Column("ignored", "ignore iscrowd crowd"),
        Column(
            "patient",
            "patientid patientname patientcode case caseid casename subject subjectid donor donorid"
            " animal animalid dog dogid individual individualid",
            "patient|^case|case(id|no|nr|num|number|code)|subject|donor|animal|individual|specimen"
            "|^pid$",
            "a patient",
        ),
        Column(
            "scanner",
            "scannername scannermodel scannertype scannerid slidescanner scannedby scannedwith"
            " scanningsystem scandevice",
            "scanner|^scan|vendor|manufactur|microscope|^device|domain",
            "a scanner",
        ),
        Column(
            "mpp",
            "umperpx umperpixel umpx umpixel umppx micronsperpixel micronsperpx micronperpixel"
            " micrometersperpixel micrometresperpixel micrometerperpixel micrometreperpixel mppum"
            " umperpxl pixelsizeum pixelsizeinum pxsizeum pixelspacingum resolutionum"
            " resolutionumperpx resolutionumpx resolutionmpp spacingum",
            "mpp|micron|micromet|pixelsize|pxsize|pixelspacing|^spacing|resolution|magnif|objective"
            "|^mag$|umper|perpx|perpixel|pxper|pixelsper|^dpi$|^ppi$|^ppmm$|^zoom|^level$|downsampl"
            "|^scale$|^power$",
            "um per px",
        ),
        Column("split", "role set subset partition splitname datasplit"),
        Column("width", "imagewidth imgwidth imwidth roiwidth widthofimage"),
        Column("height", "imageheight imgheight imheight roiheight heightofimage"),
        Column("tumour", "tumor tumortype tumourtype"),
        Column("roi_type", "typeofroi regiontype fieldtype roiclass roikind"),
        Column(
            "figure_free",
            "freeoffigures nofigures withoutfigures mitosisfree nomitoses nomitosis",
        ),
        Column("labelled", "labeled"),
    )
}
"""By our names. Which of them a file may state is its reader's to say."""

SIZE_ALIKE = "width|height|^w$|^h$|size|radius|diameter|side|box|extent|xmax|ymax|x2|y2"
"""Squeezed names that look like the size of a figure."""


def squeeze(name: str) -> str:
    """A name without case, spaces and signs: 'Image Path', image_path and imagePath are one."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("μ", "u")
    return re.sub(r"[\W_]+", "", plain)


def find_columns(header: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """By our name, the column that states it: our own name before an alias.

    Args:
        header: names as written.
        names: keys of COLUMNS.
    """
    written = {squeeze(name): name for name in reversed(list(header))}
    columns = {}
    for name in names:
        spellings = (squeeze(name), *COLUMNS[name].aliases.split())
        column = next((written[word] for word in spellings if word in written), None)
        if column is not None:
            columns[name] = column
    return columns


def looks_like(
    header: Iterable[str], used: Collection[str], names: Iterable[str]
) -> dict[str, list[str]]:
    """By our name, the columns that look like it, of those that no column states.

    Args:
        header: names as written.
        used: names as written that are in use.
        names: keys of COLUMNS that no column states.
    """
    left = [name for name in header if name not in used]
    pairs = ((name, COLUMNS[name].alike) for name in names)
    alike = {name: [word for word in left if re.search(how, squeeze(word))] for name, how in pairs}
    return {name: words for name, words in alike.items() if words and COLUMNS[name].alike}


def refuse_alike(
    path: object, header: Iterable[str], used: Collection[str], names: Iterable[str]
) -> None:
    """Raise DataError for a column that looks like one of `names` under a name of its own.

    Args:
        path: the file.
        header: its columns.
        used: those of them that are in use.
        names: keys of COLUMNS that no column states.
    """
    for name, words in looks_like(header, used, names).items():
        raise DataError(
            f"{path}: its column {words[0]!r} looks like {COLUMNS[name].means} and would not be"
            " used",
            f"rename it to {name} if it is, or remove it",
        )


def refuse_doubled(path: object, header: Iterable[str], names: Iterable[str]) -> None:
    """Raise DataError where two columns could both state one of `names`: one would not count.

    Args:
        path: the file.
        header: its columns.
        names: keys of COLUMNS.
    """
    written = list(header)
    for name in names:
        spellings = {squeeze(name), *COLUMNS[name].aliases.split()}
        columns = [column for column in written if squeeze(column) in spellings]
        if len(columns) > 1:
            raise DataError(
                f"{path}: its columns {' and '.join(columns)} could both state"
                f" {COLUMNS[name].means}",
                f"name the one that counts {name}, and remove or rename the other",
            )


def alias_note(name: str, columns: Mapping[str, str]) -> list[str]:
    """One line that states which columns are read under our names; none where all are ours.

    Args:
        name: of the file.
        columns: by our name, the column that states it.
    """
    pairs = [
        f"{column} as {own}" for own, column in columns.items() if squeeze(own) != squeeze(column)
    ]
    return [f"{name}: columns read under other names: {', '.join(pairs)}"] if pairs else []


def unused_note(name: str, header: Sequence[str], used: Collection[str]) -> list[str]:
    """One line that names the columns that are not used; none where all are.

    Args:
        name: of the file.
        header: its columns.
        used: those of them that are in use.
    """
    left = [column for column in header if column not in used]
    shown = ", ".join(left[:12]) + (f" and {len(left) - 12} more" if len(left) > 12 else "")
    return [f"{name}: columns not used: {shown}"] if left else []
