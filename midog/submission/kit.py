"""Writes a kit: the folder that a container of the MIDOG challenge is built from."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from midog._version import __version__
from midog.errors import WeightsError
from midog.files import replacing_folder
from midog.inference.atypical import AtypicalClassifier
from midog.inference.detector import Detector
from midog.inference.model_card import CARD, read_any_card
from midog.inference.model_folder import find_folder
from midog.inference.verified import VerifiedDetector
from midog.inference.verifier import TASK, VerifierCard
from midog.json_text import to_json
from midog.models.backbone_registry import BACKBONES
from midog.models.classifiers.registry import packages_of
from midog.names import real_path
from midog.submission.classification_job import load_classifier
from midog.submission.container import CLASSIFIER, DETECTOR, KIT_NAME, VERIFIER, Kit
from midog.submission.contract import CLASSIFICATION, TRACKS
from midog.submission.detection_job import load_detector
from midog.submission.kit_texts import texts_of
from midog.training.tasks.registry import PatchesSettings, VerifySettings

REQUIREMENTS = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "openslide-python",
    "openslide-bin",
    "tifffile",
    "imagecodecs",
    "pillow",
    "pydantic",
    "pyyaml",
    "safetensors",
)
"""What detection loads, of midog's own requirements; a kit pins their versions."""

_SCRIPTS = (".sh",)


def make_kit(model: Path, out: Path, kit: Kit, *, verifier: Path | None = None) -> str:
    """Write a kit's folder, whole or not at all.

    Args:
        model: Folder of a model, a run or an ensemble; for track 2 of a classifier of patches.
        out: Where; it must not exist, be empty, or be a kit.
        kit: Its track, and how it detects or classifies.
        verifier: For track 1, folder of a verifier's model or run.

    Returns:
        What it detects or classifies with and from which score on, in words.

    Raises:
        WeightsError: A model is missing or damaged, or `out` holds other things.
    """
    place = real_path(out)
    require_kit_or_nothing(place, out)
    track = TRACKS[kit.track]
    sources = {CLASSIFIER if track is CLASSIFICATION else DETECTOR: _model_folder(model)}
    if verifier is not None:
        sources[VERIFIER] = _model_folder(verifier)
    with replacing_folder(place, WeightsError) as part:
        for name, source in sources.items():
            _copy_files(source, part / "model" / name)
        (part / "model" / KIT_NAME).write_text(to_json(kit.model_dump()), encoding="utf-8")
        tried = _tried(part / "model", kit)
        words = " + ".join(str(path) for path in (model, verifier) if path is not None)
        texts = texts_of(
            track,
            model=words,
            threshold=tried.threshold,
            version=__version__,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
        )
        texts["requirements.txt"] = requirements(tried.needs)
        for name, text in texts.items():
            (part / name).write_text(text, encoding="utf-8")
        _copy_package(part / "midog")
        _let_all_read(part)
    return f"{words}, threshold {tried.threshold}"


@dataclass(frozen=True)
class _Tried:
    """A kit's model, which loads. threshold: in words. needs: packages of its networks."""

    threshold: str
    needs: frozenset[str]


def _tried(folder: Path, kit: Kit) -> _Tried:
    """Load the model of a kit, so that what is damaged is noticed now."""
    model: AtypicalClassifier | Detector | VerifiedDetector
    if TRACKS[kit.track] is CLASSIFICATION:
        model = load_classifier(folder, kit, device="cpu")
        task = cast(PatchesSettings, model.classifier.config.task)
        needs = packages_of(task.network)
    else:
        model = load_detector(folder, kit, device="cpu")
        needs = {BACKBONES[member.settings.backbone.kind].needs for member in model.members}
        if (folder / VERIFIER).is_dir():
            needs |= _packages_of_verifier(folder / VERIFIER)
    threshold = f"{model.threshold:.3f} ({model.threshold_from})"
    return _Tried(threshold, frozenset(needs - {""}))


def require_kit_or_nothing(place: Path, named: Path) -> None:
    """Check that a folder may be replaced by a kit.

    Args:
        place: The folder.
        named: As the user named it.

    Raises:
        WeightsError: It holds other things, or is no folder.
    """
    is_kit = (place / "model" / KIT_NAME).is_file() and (place / "Dockerfile").is_file()
    if place.exists() and not (place.is_dir() and (is_kit or not any(place.iterdir()))):
        raise WeightsError(
            f"{named} exists and is no kit of midog", "choose another {out}", {"out": None}
        )


def requirements(further: Collection[str] = ()) -> str:
    """Return the lines of requirements.txt: the versions that are installed here.

    Args:
        further: Packages that the models' networks need beside REQUIREMENTS.

    Raises:
        WeightsError: One of the packages is not installed.
    """
    lines = []
    for name in (*REQUIREMENTS, *sorted(further)):
        try:
            number = version(name)
        except PackageNotFoundError:
            what = f"{name} is not installed, so that its version cannot be pinned"
            raise WeightsError(what, f"pip install {name}") from None
        lines.append(f"{name}=={re.sub(r'[+].*', '', number)}")  # "+cpu" is on no index
    return "\n".join(lines) + "\n"


def _model_folder(path: Path) -> Path:
    if path.suffix == ".onnx":
        raise WeightsError(f"{path} is an ONNX file, which a kit does not hold", "give its run")
    return find_folder(path.expanduser())


def _packages_of_verifier(folder: Path) -> set[str]:
    """The packages that its network needs."""
    _, config = read_any_card(folder / CARD, VerifierCard, TASK)
    settings = cast(VerifySettings, config.task)
    if settings.body == "patches":
        return packages_of(settings.network)
    return {BACKBONES[settings.backbone.kind].needs}


def _copy_files(source: Path, target: Path) -> None:
    """Copy the files of a model's folder, which has no folders in it."""
    target.mkdir(parents=True)
    for file in sorted(source.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            shutil.copyfile(file, target / file.name)


def _copy_package(target: Path) -> None:
    """Copy midog itself: its modules, as this process runs them."""
    source = Path(__file__).resolve().parents[1]
    leave_out = shutil.ignore_patterns("__pycache__", "_shipped", ".*")
    shutil.copytree(source, target, ignore=leave_out)


def _let_all_read(folder: Path) -> None:
    """Let any user read, as the container's is another than who made the kit."""
    for path in (folder, *folder.rglob("*")):
        runs = path.is_dir() or path.suffix in _SCRIPTS
        path.chmod(0o755 if runs else 0o644)
