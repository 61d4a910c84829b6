"""Options of the commands on patches: which files they are, their classes and slides."""

from __future__ import annotations

from typing import Annotated

from midog.cli.options import DATA, SCORING, option

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
