"""`midog patches`: classifiers of patches of two classes, trained and scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from midog.cli.command import Command, Group
from midog.cli.options import (
    DATA,
    OUTPUT,
    SCORING,
    SETTINGS,
    BootstrapSeedOption,
    DeviceOption,
    DryRunOption,
    EpochsOption,
    FreshOption,
    JsonKeysOption,
    JsonOption,
    RunNameOption,
    RunsOption,
    SetOption,
    TrainingDeviceOption,
    TrainingSeedOption,
    argument,
    option,
)
from midog.cli.outputs import PAGE, PATCH_TABLE, check_output
from midog.cli.patch_options import (
    ClassNamesOption,
    PatchSplitOption,
    SlidePatternOption,
    SlideResamplesOption,
    StemOption,
)
from midog.cli.patch_tables import print_patch_scores
from midog.cli.sample import sample
from midog.cli.shared import load_settings, print_result
from midog.cli.terminal import say, show_text
from midog.cli.train import train_or_describe

if TYPE_CHECKING:
    from midog.config.schema import RunConfig
    from midog.data.patches.patch_set import PatchSet
    from midog.evaluation.patch_result import PatchEvaluation
    from midog.inference.patch_classifier import PatchClassifier
    from midog.loading.crops import CropSource
    from midog.metrics.points import Values

patches_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Train and score classifiers of patches of two classes.",
    no_args_is_help=True,
)

patches_app.command("sample", cls=Command)(sample)


@patches_app.command("train", cls=Command)
def train(
    data: Annotated[
        Path | None,
        option(
            "--data",
            "FOLDER",
            "Folder of HDF5 files as PatchCamelyon has them, or of class folders. [default: data]"
            "{=data.dir}",
            DATA,
        ),
    ] = None,
    stem: StemOption = None,
    classes: ClassNamesOption = None,
    slide_pattern: SlidePatternOption = None,
    split: PatchSplitOption = None,
    config: Annotated[
        str, option("--config", "FILE", "YAML file, or a shipped one: {configs}.", SETTINGS)
    ] = "patches_resnet18",
    epochs: EpochsOption = None,
    seed: TrainingSeedOption = None,
    overrides: SetOption = None,
    device: TrainingDeviceOption = None,
    name: RunNameOption = None,
    dry_run: DryRunOption = False,
    fresh: FreshOption = False,
    runs: RunsOption = Path("runs"),
) -> None:
    """Train a classifier, or resume the newest unfinished training.

    The same as `midog train --task patches`. The best model on valid is RUNS/NAME/best.
    """
    values = {
        "task.kind": "patches",
        "data.dir": data,
        "task.stem": stem,
        "task.classes": _names(classes),
        "task.slide_pattern": slide_pattern,
        "data.split": split,
        "train.epochs": epochs,
        "train.seed": seed,
        "machine.device": device,
    }
    settings = load_settings(config, overrides, values)
    train_or_describe(
        settings, name=name, runs=runs, fresh=fresh, resume_with=None, dry_run=dry_run
    )


@patches_app.command("evaluate", cls=Command)
def evaluate(
    model: Annotated[
        Path | None,
        argument("[RUN]", "Run or model folder. [default: the newest run's best model]"),
    ] = None,
    data: Annotated[
        Path | None,
        option("--data", "FOLDER", "Folder of patches. [default: that of the training]", DATA),
    ] = None,
    stem: Annotated[
        str | None,
        option("--stem", "NAME", "HDF5 files' stem. [default: that of the training]", DATA),
    ] = None,
    classes: Annotated[
        str | None,
        option(
            "--classes",
            "A,B",
            "Class folders that are the model's two classes, in its order. [default: of its"
            " classes' names]",
            DATA,
        ),
    ] = None,
    split: PatchSplitOption = None,
    subset: Annotated[
        Literal["train", "valid", "val", "test"],
        option("--subset", "PART", "Part that is scored: train, valid or test.", DATA),
    ] = "test",
    threshold: Annotated[
        float | None,
        option(
            "--threshold",
            "P",
            "Least probability of the second class. [default: the model's, chosen on valid]",
            SCORING,
            min=0,
            max=1,
        ),
    ] = None,
    by: Annotated[
        str | None, option("--by", "COLUMNS", "Groups: columns of the CSV of patches.", SCORING)
    ] = None,
    resamples: SlideResamplesOption = 2000,
    seed: BootstrapSeedOption = 0,
    report: Annotated[
        Path | None,
        option(
            "--report",
            "FILE",
            "Write an HTML page: ROC, calibration, the most wrong patches.",
            OUTPUT,
        ),
    ] = None,
    csv: Annotated[
        Path | None, option("--csv", "FILE", "Write a CSV with a line per patch.", OUTPUT)
    ] = None,
    as_json: JsonOption = False,
    json_keys: JsonKeysOption = "midog",
    device: DeviceOption = "auto",
    runs: RunsOption = Path("runs"),
) -> None:
    """Score a classifier on labelled patches, by slides.

    AUC, AP, accuracies, sensitivity and specificity, with intervals over slides. Counts are those
    at the threshold, which training chose on valid.
    """
    for name, path, kind in (("report", report, PAGE), ("csv", csv, PATCH_TABLE)):
        if path is not None:
            check_output(path, kind, name)
            if json_keys == "challenge":
                words = f"the challenge's keys are printed alone, without --{name}"
                raise typer.BadParameter(words, param_hint="--json-keys")
    from midog.evaluation.patches import evaluate_patches
    from midog.evaluation.scoring import check_resamples
    from midog.inference.patch_classifier import PatchClassifier, probabilities_of
    from midog.training.runs import newest_model
    from midog.training.tasks.patches_data import open_patches, read_patches_of
    from midog.training.tasks.registry import PatchesSettings

    check_resamples(resamples, least=0, few="give 0 (no intervals) or more")
    classifier = PatchClassifier.load(model or newest_model(runs, task="patches"), device=device)
    config = _settings_of(classifier, data, stem, split, classes)
    assert isinstance(config.task, PatchesSettings)
    patches = read_patches_of(config.data, config.task).of("val" if subset == "valid" else subset)
    crops = open_patches(patches, config.data.cache, classifier.side)
    _say_what_is_scored(classifier, patches.role, patches.side)
    scores = probabilities_of(classifier.logits(crops))
    limit = classifier.threshold if threshold is None else threshold
    if json_keys == "challenge":
        _print_as_challenge(classifier, patches, scores, limit, by or "")
        return
    result = evaluate_patches(
        patches,
        scores,
        threshold=limit,
        classes=classifier.classes,
        by=by or "",
        resamples=resamples,
        seed=seed,
        about={
            "model": str(classifier.folder),
            "data": str(config.data.dir),
            "threshold_from": "val" if threshold is None else "given",
        },
        side=classifier.side,
    )
    # the files first, as a pipe that closes early must not cost them
    try:
        _write_files(result, crops, csv, report)
    finally:
        print_result(result, as_json, print_patch_scores)


def _settings_of(
    classifier: PatchClassifier,
    data: Path | None,
    stem: str | None,
    split: str | None,
    classes: str | None,
) -> RunConfig:
    """The settings of a model's training with what the command line gives; its classes by name."""
    names = _names(classes) or list(classifier.classes)
    task = {"classes": names, **({} if stem is None else {"stem": stem})}
    # other data have a split of their own
    where: dict[str, object] = {"split": split} if split or data is not None else {}
    if data is not None:
        where["dir"] = data
    return classifier.config.with_values(task=task, data=where)


def _say_what_is_scored(classifier: PatchClassifier, role: str, side: int) -> None:
    """Say what a reader would not expect of these scores."""
    if role == "train":
        say("these are the patches that it was trained on: their scores say nothing of new ones")
    if role == "val":
        say("model and threshold were chosen on these patches: their scores flatter")
    if side > classifier.side:
        say(f"the middle {classifier.side} px of patches of {side} px are seen")


def _write_files(
    result: PatchEvaluation, crops: CropSource, csv: Path | None, report: Path | None
) -> None:
    from midog.files import replace_text

    if csv is not None:
        replace_text(csv, result.to_csv())
        say(f"the probability of each patch is in {csv}")
    if report is not None:
        from midog.report.patches_page import write_patches_page

        write_patches_page(report, result, crops)
        say(f"the report is {report}")


def _print_as_challenge(
    classifier: PatchClassifier, patches: PatchSet, scores: Values, threshold: float, by: str
) -> None:
    from midog.evaluation.patch_challenge import patch_challenge_metrics
    from midog.json_text import to_json

    name, classes = str(classifier.folder), classifier.classes
    metrics = patch_challenge_metrics(
        patches, scores, threshold=threshold, classes=classes, by=by, name=name
    )
    show_text(to_json(metrics, indent=4))


def _names(text: str | None) -> list[str] | None:
    """The names in "a,b"."""
    return None if text is None else [name.strip() for name in text.split(",")]
