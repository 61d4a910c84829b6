"""midog: train, run and honestly score detectors of mitotic figures. Names are resolved when first
used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from midog._version import __version__

if TYPE_CHECKING:
    from midog.boxes import Detections as Detections
    from midog.config.load import load_config as load_config
    from midog.config.schema import RunConfig as RunConfig
    from midog.data.folder import read_rois as read_rois
    from midog.data.roi import Roi as Roi
    from midog.errors import MidogError as MidogError
    from midog.evaluation.scoring import evaluate as evaluate
    from midog.inference.detector import Detector as Detector
    from midog.inference.patch_classifier import PatchClassifier as PatchClassifier
    from midog.metrics.hotspot import hotspot as hotspot
    from midog.metrics.matching import match_points as match_points
    from midog.metrics.thresholds import best_threshold as best_threshold
    from midog.models.build import build_model as build_model
    from midog.shift.domain_shift import domain_shift as domain_shift
    from midog.tissue.from_pixels import tissue_mask as tissue_mask
    from midog.training.train import train as train

_HOME = {
    "Detections": "midog.boxes",
    "Detector": "midog.inference.detector",
    "MidogError": "midog.errors",
    "PatchClassifier": "midog.inference.patch_classifier",
    "Roi": "midog.data.roi",
    "RunConfig": "midog.config.schema",
    "best_threshold": "midog.metrics.thresholds",
    "build_model": "midog.models.build",
    "domain_shift": "midog.shift.domain_shift",
    "evaluate": "midog.evaluation.scoring",
    "hotspot": "midog.metrics.hotspot",
    "load_config": "midog.config.load",
    "match_points": "midog.metrics.matching",
    "read_rois": "midog.data.folder",
    "tissue_mask": "midog.tissue.from_pixels",
    "train": "midog.training.train",
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
