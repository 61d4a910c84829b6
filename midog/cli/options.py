"""Options that several commands share, by the panel of the help that lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from midog.mpp import HIGHEST_MPP, LOWEST_MPP

DATA = "Data"
DEVICE = "Device"
MODEL = "Model"
OUTPUT = "Output"
RARE = "Rarely needed"
RUN = "Run"
SCALE = "Many images"
SCORING = "Scoring"
SETTINGS = "Settings"

MOST_SEED = 2**63 - 1


def option(flag: str, metavar: str | None, text: str, panel: str, **limits: Any) -> Any:
    """An option of the command line.

    Args:
        flag: As typed.
        metavar: What stands for its value in the help; None for a switch.
        text: Its help, see `midog.cli.words`.
        panel: The panel of the help that lists it.
        limits: `min` and `max` of a number.
    """
    return typer.Option(flag, metavar=metavar, help=text, rich_help_panel=panel, **limits)


def argument(metavar: str, text: str) -> Any:
    """An argument of the command line; its default, if it has one, is shown."""
    return typer.Argument(metavar=metavar, help=text)


# Data that are read as they are, without a training's settings.
DataOption = Annotated[
    Path, option("--data", "FOLDER", "Folder with images/, one annotation file, split.csv.", DATA)
]
DATA_FOLDERS = (Path("data"),)
"""Taken where a command that takes several is given none."""
DataFoldersOption = Annotated[
    list[Path] | None,
    option(
        "--data",
        "FOLDER",
        "Folder with images/, one annotation file, split.csv; repeatable: used as one."
        " [default: data]",
        DATA,
    ),
]
SplitOption = Annotated[
    str | None,
    option(
        "--split",
        "FILE",
        "Split CSV, or a shipped one: {splits}. [default: DATA/split.csv]{=data.split}",
        DATA,
    ),
]
AnnotationsOption = Annotated[
    Path | None,
    option(
        "--annotations",
        "FILE",
        "Annotation file: {readers}. [default: the only one in DATA]{=data.annotations}",
        RARE,
    ),
]
BboxOption = Annotated[
    Literal["auto", "xyxy", "xywh"], option("--bbox", "ORDER", "{data.bbox}", RARE)
]
ClassesOption = Annotated[str, option("--classes", "NAME=CLASS,…", "{data.classes}", RARE)]
AnnotationsFormatOption = Annotated[
    str, option("--annotations-format", "NAME", "{data.annotations_format}", RARE)
]
MppOption = Annotated[
    float | None,
    option(
        "--mpp",
        "UM",
        "Size of a pixel in um, for every image; overrules split and files.",
        RARE,
        min=LOWEST_MPP,
        max=HIGHEST_MPP,
    ),
]

# Settings of a training.
ConfigOption = Annotated[
    str | None,
    option("--config", "FILE", "YAML file, or a shipped one: {configs}.", SETTINGS),
]
TrainingDataOption = Annotated[
    list[Path] | None, option("--data", "FOLDER", "{data.dir} Repeatable.", DATA)
]
EpochsOption = Annotated[
    int | None, option("--epochs", "N", "{train.epochs}", SETTINGS, min=1, max=1_000_000)
]
TrainingSeedOption = Annotated[
    int | None, option("--seed", "N", "{train.seed}", SETTINGS, min=0, max=MOST_SEED)
]
TrainingClassesOption = Annotated[
    str | None, option("--classes", "NAME=CLASS,…", "{data.classes}", DATA)
]
TrainingDeviceOption = Annotated[str | None, option("--device", "NAME", "{machine.device}", DEVICE)]
SetOption = Annotated[
    list[str] | None,
    option(
        "--set",
        "KEY=VALUE",
        "Any setting that `midog settings` lists, e.g. train.lr=0.0003; repeatable.",
        SETTINGS,
    ),
]

# Models and where they run.
ModelOption = Annotated[
    Path | None,
    option("--model", "FOLDER", "Model or run. [default: the newest run's best model]", MODEL),
]
ModelsOption = Annotated[
    list[Path] | None,
    option(
        "--model",
        "FOLDER",
        "Model, run, ensemble or ONNX file; several merge models. [default: the newest run's best"
        " model]",
        MODEL,
    ),
]
DetectionThresholdOption = Annotated[
    float | None,
    option(
        "--threshold",
        "P",
        "Lowest score of a mitotic figure. [default: the model's, chosen on val]",
        MODEL,
        min=0,
        max=1,
    ),
]
OrientationsOption = Annotated[
    int,
    option(
        "--orientations",
        "N",
        "Orientations in which images are shown: 1, 2 (turned by 180 degrees too), 4 (by each"
        " quarter), 8 (mirrored too).",
        MODEL,
        min=1,
        max=8,
    ),
]
WithinOption = Annotated[
    Path | None,
    option(
        "--within",
        "FOLDER",
        "Run or model of a classifier of patches: figures are looked for and counted only where it"
        " sees its second class, such as tumour. Its heat maps are in OUT/heatmaps.",
        MODEL,
    ),
]
WithinThresholdOption = Annotated[
    float | None,
    option(
        "--within-threshold",
        "P",
        "Least value of those maps that counts. [default: the model's, chosen on patches of valid]",
        MODEL,
        min=0,
        max=1,
    ),
]
RunNameOption = Annotated[
    str | None, option("--name", "NAME", "Name of the run. [default: date and time]", RUN)
]
DryRunOption = Annotated[
    bool, option("--dry-run", None, "Print settings, data and model size; train nothing.", RUN)
]
FreshOption = Annotated[
    bool, option("--fresh", None, "Start a new run, even if one could be resumed.", RUN)
]
RunsOption = Annotated[Path, option("--runs", "FOLDER", "Folder of runs.", RUN)]
DeviceOption = Annotated[
    str, option("--device", "NAME", "{machine.device} [default: auto]", DEVICE)
]

# Scores.
SubsetOption = Annotated[
    str, option("--subset", "ROLE", "ROIs that are scored: train, val, test or all.", DATA)
]
ByOption = Annotated[
    str,
    option(
        "--by",
        "COLUMNS",
        "Groups: columns of the split, e.g. roi_type; tumour,scanner nests.",
        SCORING,
    ),
]
ThresholdOption = Annotated[
    float | None,
    option(
        "--threshold",
        "P",
        "Count all points of probability P or more. [default: those named mitotic figure]",
        SCORING,
        min=0,
        max=1,
    ),
]
MissingOption = Annotated[
    bool,
    option(
        "--allow-missing", None, "Count ROIs without a file as ROIs without detections.", SCORING
    ),
]
HotspotOption = Annotated[
    float | None,
    option(
        "--hotspot",
        "MM2",
        "Count figures in the densest window of that area too, e.g. 2: true against detected.",
        SCORING,
    ),
]
HotspotShapeOption = Annotated[
    str, option("--hotspot-shape", "SHAPE", "Its shape: circle, or width:height.", SCORING)
]
ResamplesOption = Annotated[
    int,
    option(
        "--resamples",
        "N",
        "Bootstrap draws of patients; 0: no intervals.",
        SCORING,
        min=0,
        max=100_000,
    ),
]
BootstrapSeedOption = Annotated[
    int, option("--seed", "N", "Seed of the bootstrap.", SCORING, min=0, max=MOST_SEED)
]
JsonOption = Annotated[bool, option("--json", None, "Print everything as JSON on stdout.", OUTPUT)]
JsonKeysOption = Annotated[
    Literal["midog", "challenge"],
    option(
        "--json-keys",
        "WHOSE",
        "Keys of the JSON: midog's, or challenge for those of the MIDOG 2025 metrics.json, with its"
        " numbers.",
        OUTPUT,
    ),
]
