"""The unlabelled images that a training takes something of: a run goes on with the same ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from midog.data.roi import Roi

KEY = "unlabelled"


def images_state(rois: Sequence[Roi]) -> dict[str, Tensor]:
    """Return what a checkpoint holds of them: a digest of the names of those whose image is there.

    Args:
        rois: Unlabelled; none: the training takes nothing of any, and the state is empty.
    """
    if not rois:
        return {}
    names = sorted(roi.file_name for roi in rois if roi.path is not None)
    digest = hashlib.sha256(json.dumps(names).encode()).digest()
    return {KEY: torch.frombuffer(bytearray(digest), dtype=torch.uint8)}


def require_same_images(state: Mapping[str, Any], rois: Sequence[Roi]) -> None:
    """Require the images of a training to be those of which `images_state` was taken.

    Raises:
        ValueError: They are others. A state that says nothing of them is of an earlier version.
    """
    stored, own = state.get(KEY), images_state(rois).get(KEY)
    if stored is None or own is None:
        return
    if not isinstance(stored, Tensor) or not torch.equal(stored.cpu(), own):
        raise ValueError(f"other {KEY} ROIs have an image than when the run began")
