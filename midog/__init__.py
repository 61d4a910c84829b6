"""midog: train, run and honestly score detectors of mitotic figures. Names are resolved when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from midog.boxes import Detections as Detections
    from midog.config import RunConfig as RunConfig
    from midog.config import load_config as load_config
    from midog.data.annotations import Roi as Roi
    from midog.data.folder import read_rois as read_rois
    from midog.errors import MidogError as MidogError
    from midog.evaluation.scoring import evaluate as evaluate
    from midog.inference.detect import Detector as Detector
    from midog.metrics.matching import match_points as match_points
    from midog.metrics.scores import best_threshold as best_threshold
    from midog.models import build_model as build_model
    from midog.shift.measure import domain_shift as domain_shift
    from midog.training.loop import train as train

__version__ = "0.1.0"

_HOME = {
    "Detections": "midog.boxes",
    "Detector": "midog.inference.detect",
    "MidogError": "midog.errors",
    "Roi": "midog.data.annotations",
    "RunConfig": "midog.config",
    "best_threshold": "midog.metrics.scores",
    "build_model": "midog.models",
    "domain_shift": "midog.shift.measure",
    "evaluate": "midog.evaluation.scoring",
    "load_config": "midog.config",
    "match_points": "midog.metrics.matching",
    "read_rois": "midog.data.folder",
    "train": "midog.training.loop",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'midog' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
