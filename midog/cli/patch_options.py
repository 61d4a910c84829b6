"""Options of the commands on patches: which files they are, their classes and slides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from midog.cli.options import DATA, SCORING, option

if TYPE_CHECKING:
    from midog.tumour.asap_xml import Meaning
    from midog.tumour.read import TruthRule

StemOption = Annotated[
    str | None, option("--stem", "NAME", "HDF5 files: {task.stem}{=task.stem}", DATA)
]
PatchSplitOption = Annotated[
    str | None,
    option(
        "--split",
        "FILE",
        "Class folders: CSV of file_name,patient,split. [default: DATA/split.csv]{=data.split}",
        DATA,
    ),
]
ClassNamesOption = Annotated[
    str | None,
    option(
        "--classes",
        "A,B",
        "Names of the two classes, that of label 1 last; of class folders, those that are read."
        "{=task.classes}",
        DATA,
    ),
]
SlidePatternOption = Annotated[
    str | None,
    option(
        "--slide-pattern",
        "REGEX",
        "Class folders: the slide or case in the start of a file's name, e.g. '^([^_]+)_'."
        "{=task.slide_pattern}",
        DATA,
    ),
]
SlideResamplesOption = Annotated[
    int,
    option(
        "--resamples",
        "N",
        "Bootstrap draws of slides; 0: no intervals.",
        SCORING,
        min=0,
        max=100_000,
    ),
]
GroupsOption = Annotated[
    str,
    option(
        "--groups",
        "NAME=WHAT,…",
        "What ASAP's groups mean beside those of CAMELYON: tumour, normal, ignore.",
        DATA,
    ),
]
MaskValueOption = Annotated[
    int | None,
    option(
        "--mask-value",
        "N",
        "Grey value of tumour. [default: the only one above 0]",
        DATA,
        min=1,
        max=255,
    ),
]


def truth_rule(groups: str, mask_value: int | None) -> TruthRule:
    """Return how truth is read by what these two options were given."""
    from midog.tumour.asap_xml import GROUPS
    from midog.tumour.read import TruthRule

    return TruthRule({**GROUPS, **_groups(groups)}, mask_value)


def _groups(text: str) -> dict[str, Meaning]:
    """What `--groups` was given: "NAME=tumour,OTHER=normal"."""
    meanings: dict[str, Meaning] = {
        "tumour": "tumour",
        "tumor": "tumour",
        "normal": "normal",
        "ignore": "ignore",
    }
    groups: dict[str, Meaning] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, meaning = part.rpartition("=")
        if not equals or not name.strip() or meaning.strip() not in meanings:
            raise typer.BadParameter(
                f"{part!r} is not NAME=tumour, NAME=normal or NAME=ignore", param_hint="--groups"
            )
        groups[name.strip()] = meanings[meaning.strip()]
    return groups
