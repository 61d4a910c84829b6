"""RandStainNA: a patch takes the colour statistics of a stain that is drawn between scanners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from midog.augment.op import Op
from midog.augment.share import ShareSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.augment.op import Numbers, Parameters, ReferencePixels

_STRETCH = 3.0
"""A channel's deviation grows or shrinks at most by this: one colour is not made noise."""
_LEAST = 0.1
"""A template's deviation is at least this share of the mean one."""
_TAIL = 0.00135  # of the normal distribution, beyond 3 deviations


class RandStainSettings(ShareSettings):
    """Settings of `augment.randstainna`."""

    strength: float = Field(
        1.0, ge=0, le=3, description="spread of the virtual stains; 1: that of the data"
    )
    space: Literal["lab", "hsv", "hed"] = Field("lab", description="channels that are matched")


class Templates(NamedTuple):
    """What the patches of the data look like, per channel of a colour space.

    means, deviations: (2, 3) float64, mean over the patches and standard deviation of a patch's
    mean and of its deviation; every scanner counts as much. scanners: number of patches by scanner.
    """

    space: str
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    scanners: dict[str, int]


def templates_of(pixels: ReferencePixels, settings: RandStainSettings) -> Templates:
    """Measure the patches of all scanners."""
    import numpy as np

    from midog.augment.colour_spaces import patch_to_space

    rows: dict[str, list[Any]] = {}
    for scanner, patch in pixels.patches():
        values = patch_to_space(patch, settings.space).astype(np.float64)
        row = [values.mean(axis=(0, 1)), values.std(axis=(0, 1))]
        rows.setdefault(scanner, []).append(row)
    own = [np.array(of_scanner) for of_scanner in rows.values()]  # (P, 2, 3) each
    mean = np.mean([values.mean(axis=0) for values in own], axis=0)
    square = np.mean([((values - mean) ** 2).mean(axis=0) for values in own], axis=0)
    means, deviations = (np.stack([mean[row], np.sqrt(square[row])]) for row in (0, 1))
    counts = {scanner: len(of_scanner) for scanner, of_scanner in rows.items()}
    return Templates(settings.space, means, deviations, counts)


def virtual_stains(
    numbers: Numbers, settings: RandStainSettings, templates: Templates
) -> Parameters:
    """Draw a virtual template for each patch.

    Shen et al., 'RandStainNA: learning stain-agnostic features from histology slides by bridging
    stain augmentation and normalization', MICCAI 2022: mean and deviation of each channel are drawn
    from normal distributions whose own mean and deviation are those over the data; here within
    three deviations.

    Args:
        numbers: (B, 7) float32 in [0, 1): three means, three deviations, whether.
        settings: Share, spread and colour space.
        templates: Of the data.

    Returns:
        By the name of the space (B, 2, 3) float32, mean and deviation of the channels; changed:
        (B,) bool.
    """
    import numpy as np
    from scipy.special import ndtri

    drawn = settings.strength * ndtri(numbers[:, :6].astype(np.float64).clip(_TAIL, 1 - _TAIL))
    means = templates.means[0] + drawn[:, :3] * templates.means[1]
    deviations = templates.deviations[0] + drawn[:, 3:] * templates.deviations[1]
    deviations = np.maximum(deviations, _LEAST * templates.deviations[0])
    stains = np.stack([means, deviations], axis=1).astype(np.float32)
    return {templates.space: stains, "changed": numbers[:, 6] < settings.share}


def _on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    import torch

    from midog.augment.colour_spaces import SPACES, from_space, to_space

    space = next(name for name in parameters if name in SPACES)
    values = to_space(images, space)
    deviation, mean = torch.std_mean(values, dim=(2, 3), correction=0, keepdim=True)
    wanted_mean, wanted = parameters[space][:, :, :, None, None].unbind(1)
    factor = (wanted / deviation.clamp(min=1e-6)).clamp(1 / _STRETCH, _STRETCH)
    changed = parameters["changed"][:, None, None, None]
    return torch.where(changed, from_space((values - mean) * factor + wanted_mean, space), images)


def _on_cpu(patch: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    from midog.augment.colour_spaces import SPACES, patch_from_space, patch_to_space

    if not parameters["changed"]:
        return patch
    space = next(name for name in parameters if name in SPACES)
    values = patch_to_space(patch, space)
    mean, deviation = (part.ravel() for part in cv2.meanStdDev(values))
    wanted_mean, wanted = parameters[space]
    factor = (wanted / np.maximum(deviation, 1e-6)).clip(1 / _STRETCH, _STRETCH)
    affine = np.concatenate([np.diag(factor), (wanted_mean - factor * mean)[:, None]], axis=1)
    return patch_from_space(cv2.transform(values, affine.astype(np.float32)), space)


def _described(templates: Templates) -> dict[str, Any]:
    return {
        "space": templates.space,
        "means": templates.means.tolist(),
        "deviations": templates.deviations.tolist(),
        "patches": templates.scanners,
    }


RANDSTAINNA = Op(
    about="RandStainNA: colour statistics drawn between those of all scanners, unlabelled ones too",
    setting=RandStainSettings,
    default=RandStainSettings(),
    draws=7,
    parameters=virtual_stains,
    on_device=_on_device,
    on_cpu=_on_cpu,
    references=templates_of,
    describe=_described,
    example=RandStainSettings(share=1.0),
)
