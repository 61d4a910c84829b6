"""Fourier domain adaptation: a patch takes the low-frequency amplitudes of another scanner's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from midog.augment.op import Op
from midog.augment.share import ShareSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.augment.op import Numbers, Parameters, ReferencePixels

    Spectra = Mapping[str, NDArray[np.float32]]
    """By scanner, amplitudes of patches (P, r + 1, 2 r + 1, 3), of light in [0, 1]."""


class FdaSettings(ShareSettings):
    """Settings of `augment.fda`."""

    beta: float = Field(
        0.01,
        ge=0,
        le=0.1,
        description="half side of the window of frequencies, as a share of the patch's side; 0: the"
        " mean colour alone",
    )


def spectra_of(pixels: ReferencePixels, settings: FdaSettings) -> Spectra:
    """Return the low-frequency amplitudes of patches of all scanners."""
    import numpy as np

    from midog.augment.low_frequencies import low_amplitudes, reach_of

    reach = reach_of(pixels.side, settings.beta)
    amplitudes: dict[str, list[Any]] = {}
    for scanner, patch in pixels.patches():
        light = np.multiply(patch, np.float32(1 / 255), dtype=np.float32)
        amplitudes.setdefault(scanner, []).append(low_amplitudes(light, reach))
    return {scanner: np.stack(own) for scanner, own in amplitudes.items()}


def drawn_spectra(numbers: Numbers, settings: FdaSettings, spectra: Spectra) -> Parameters:
    """Draw a scanner for each patch, every one as often, and one of its reference patches.

    Yang and Soatto, 'FDA: Fourier domain adaptation for semantic segmentation', CVPR 2020: within a
    window of low frequencies the amplitudes are those of the target, the phases stay the patch's
    own.

    Args:
        numbers: (B, 3) float32 in [0, 1): scanner, patch, whether.
        settings: Share of patches, window.
        spectra: Of the data.

    Returns:
        amplitudes: (B, r + 1, 2 r + 1, 3) float32. changed: (B,) bool.
    """
    import numpy as np

    scanners = list(spectra.values())
    chosen = []
    for scanner, patch in numbers[:, :2].tolist():
        own = scanners[min(int(scanner * len(scanners)), len(scanners) - 1)]
        chosen.append(own[min(int(patch * len(own)), len(own) - 1)])
    shape = (len(numbers), *scanners[0].shape[1:])
    amplitudes = np.array(chosen, np.float32).reshape(shape)
    return {"amplitudes": amplitudes, "changed": numbers[:, 2] < settings.share}


def _on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    import torch

    from midog.augment.low_frequencies import change_on_device

    adapted = (images + change_on_device(images, parameters["amplitudes"])).clamp_(0, 1)
    return torch.where(parameters["changed"][:, None, None, None], adapted, images)


def _on_cpu(patch: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    from midog.augment.low_frequencies import change_on_cpu

    if not parameters["changed"]:
        return patch
    light = patch.astype(np.float32)
    change = change_on_cpu(light, parameters["amplitudes"] * np.float32(255))
    return np.asarray(cv2.add(patch, change, dtype=cv2.CV_8U))


def _described(spectra: Spectra) -> dict[str, Any]:
    return {"patches": {scanner: len(own) for scanner, own in spectra.items()}}


FDA = Op(
    about="Fourier domain adaptation: low-frequency amplitudes of patches of all scanners,"
    " unlabelled ones too",
    setting=FdaSettings,
    default=FdaSettings(),
    draws=3,
    parameters=drawn_spectra,
    on_device=_on_device,
    on_cpu=_on_cpu,
    references=spectra_of,
    describe=_described,
    example=FdaSettings(share=1.0),
)
