"""What a model's backbone makes of patches: one feature vector each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from midog.data.augment import to_float
from midog.errors import DeviceError
from midog.inference.detect import Detector, evaluating, is_out_of_memory

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]


def backbone_features(detector: Detector, images: Pixels, batch_size: int = 16) -> Features:
    """The mean over each map that the backbone's body returns, joined from the finest map to the coarsest.

    images: (P, S, S, 3) uint8 RGB at the model's mpp. The detector's own forward pass shows them to the body, so they
    are scaled, normalised and padded as its tiles are. The model is in eval mode meanwhile.
    batch_size: patches at a time; another one moves the features in the last digits only.
    Returns (P, D) float32, D the channels of all maps together.
    Raises DeviceError where the device runs out of memory.
    """
    assert images.dtype == np.uint8, images.dtype
    assert images.shape[3:] == (3,), images.shape
    body = detector.model.get_submodule("backbone.body")
    parts: list[Tensor] = []

    def keep(_body: nn.Module, _shown: tuple[Tensor, ...], maps: Mapping[str, Tensor]) -> None:
        parts.append(torch.cat([level.float().mean(dim=(2, 3)) for level in maps.values()], dim=1).cpu())

    watch = body.register_forward_hook(keep)
    try:
        with evaluating(detector.model), torch.inference_mode():
            # One batch at least: without patches, too, it tells how many features there are.
            for start in range(0, max(len(images), 1), batch_size):
                batch = _filled(images[start : start + batch_size], batch_size)
                detector.model(to_float(torch.from_numpy(batch).to(detector.device)), floor=1.0)  # no boxes are wanted
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        what = f"{detector.device} is out of memory with {batch_size} patches of {images.shape[1]} px at a time"
        raise DeviceError(what, "close other programs, or use --device cpu") from error
    finally:
        watch.remove()
    return torch.cat(parts)[: len(images)].numpy()


def _filled(images: Pixels, size: int) -> Pixels:
    """`size` patches: the given ones, then white ones, so that all batches have one shape."""
    white = np.full((size - len(images), *images.shape[1:]), 255, dtype=np.uint8)
    return np.concatenate([images, white])
