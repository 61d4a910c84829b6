"""What a scanner's patches look like (stains, optical density, colour, sharpness), and how far two
scanners differ."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

from midog.images.pixels import Pixels
from midog.json_text import plain
from midog.random_streams import seeded
from midog.stains import OD_OF_LEVEL, Values, macenko, tissue_share

IMAGE_DISTANCES: dict[str, str] = {
    "stain_angle_deg": (
        "mean angle between the haematoxylin vectors and between the eosin vectors, in degrees"
    ),
    "od_wasserstein": (
        "how far optical densities must move to turn one scanner's pixels into the other's"
    ),
    "colour_delta_e": (
        "difference of the mean colours as the eye sees it (CIE76; about 2 is just visible)"
    ),
    "sharpness_difference": (
        "difference of the spectral slopes: fine detail that one scanner keeps and the other loses"
    ),
}
"""Names of `image_distances`, each with a line of explanation."""

SHARPNESS_BAND = (1 / 32, 1 / 3)
"""Frequencies in cycles per px over which sharpness is measured; at 0.25 um/px, detail of 8 um down
to 0.75 um."""

_MAX_PIXELS = 500_000  # a mean is then good to 1/700 of a deviation
_MAX_SPECTRA = 200
_SPECTRUM_BINS = 12
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601

# sRGB to XYZ under D65 (IEC 61966-2-1), divided by the white point so that white is (1, 1, 1)
_XYZ: Values = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
_XYZ_OF_WHITE: Values = _XYZ / _XYZ.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class ImageStats:
    """What the patches of one scanner look like; NaN where they hold too little to say.

    patches: how many. tissue: share of their pixels that is tissue.
    stains: (2, 3) haematoxylin and eosin, optical density in red, green and blue, length 1; NaN
    without enough tissue.
    concentrations: (2,) 99th percentile over tissue of how much of each stain there is (optical
    density).
    od_mean, od_sd: (3,) optical density of red, green and blue, over all pixels, as are the next
    four.
    rgb_mean, rgb_sd: (3,) 0 to 255. lab_mean, lab_sd: (3,) CIELAB, D65.
    sharpness: slope of log power over log frequency, see `sharpness`; about -2 to -3.5, steeper =
    blurrier.
    histogram: (3, 256) int64, pixels of each level of red, green and blue (of a fixed choice of
    pixels if many).
    """

    patches: int
    tissue: float
    stains: Values
    concentrations: Values
    od_mean: Values
    od_sd: Values
    rgb_mean: Values
    rgb_sd: Values
    lab_mean: Values
    lab_sd: Values
    sharpness: float
    histogram: NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:
        """Return the same as numbers and lists for JSON, None for NaN."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


def image_stats(images: Pixels) -> ImageStats:
    """Describe the patches of one scanner, in the same way at every call.

    Args:
        images: (P, S, S, 3) uint8 RGB, P at least 1.
    """
    assert images.dtype == np.uint8, images.dtype
    assert images.ndim == 4, images.shape
    assert images.size, images.shape
    pixels = _some_pixels(images)
    colours = lab(pixels)
    stains, concentrations = macenko(pixels)
    levels = np.arange(256.0)
    histogram = np.stack(
        [np.bincount(pixels[:, channel], minlength=256) for channel in range(3)]
    ).astype(np.int64)
    od_mean, od_sd = _mean_and_sd(histogram, OD_OF_LEVEL)
    rgb_mean, rgb_sd = _mean_and_sd(histogram, levels)
    return ImageStats(
        patches=len(images),
        tissue=tissue_share(pixels),
        stains=stains,
        concentrations=concentrations,
        od_mean=od_mean,
        od_sd=od_sd,
        rgb_mean=rgb_mean,
        rgb_sd=rgb_sd,
        lab_mean=colours.mean(axis=0),
        lab_sd=colours.std(axis=0),
        sharpness=sharpness(images),
        histogram=histogram,
    )


def image_distances(a: ImageStats, b: ImageStats) -> dict[str, float]:
    """Measure how far apart two scanners are.

    'od_wasserstein' is the 1-D Wasserstein distance of the pixels' optical densities, mean over
    red, green and blue.

    Returns:
        By the names of IMAGE_DISTANCES: 0 or more, the same both ways, NaN where it is unknown.
    """
    # of unit vectors; exact at 0, where an arc cosine is not
    chords = np.linalg.norm(a.stains - b.stains, axis=1)
    angles = np.degrees(2 * np.arcsin(np.minimum(chords / 2, 1)))
    moves = [
        stats.wasserstein_distance(OD_OF_LEVEL, OD_OF_LEVEL, *weights)
        for weights in zip(a.histogram, b.histogram, strict=True)
    ]
    return {
        "stain_angle_deg": float(angles.mean()),
        "od_wasserstein": float(np.mean(moves)),
        "colour_delta_e": float(np.linalg.norm(a.lab_mean - b.lab_mean)),
        "sharpness_difference": abs(a.sharpness - b.sharpness),
    }


def sharpness(images: Pixels) -> float:
    """Return the slope of log power over log frequency in SHARPNESS_BAND, median over patches.

    The power spectrum of the luma under a Hann window, averaged over all directions. Of natural
    images it falls about as f^-2 (Field, 'Relations between the statistics of natural images …', J
    Opt Soc Am A 1987); blur makes it steeper, noise and sharpening flatter. Patches of one level
    are left out.

    Args:
        images: (P, S, S, 3) uint8 RGB.

    Returns:
        About -2 to -3.5; NaN where no patch is left, or patches are smaller than 32 px.
    """
    side = images.shape[1]
    if side < 1 / SHARPNESS_BAND[0]:
        return math.nan
    chosen = images[np.linspace(0, len(images) - 1, min(len(images), _MAX_SPECTRA)).astype(int)]
    window = np.hanning(side + 1)[:-1].astype(np.float32)
    band, frequency = _frequency_bands(side)
    slopes = [_slope(patch, np.outer(window, window), band, frequency) for patch in chosen]
    finite = [slope for slope in slopes if not math.isnan(slope)]
    return float(np.median(finite)) if finite else math.nan


def lab(pixels: Pixels) -> Values:
    """Convert sRGB pixels to CIELAB, white point D65 (IEC 61966-2-1 and CIE 15).

    Args:
        pixels: (N, 3) uint8.

    Returns:
        (N, 3): L* 0 to 100, a*, b*.
    """
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    xyz = linear[pixels] @ _XYZ_OF_WHITE.T
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def _frequency_bands(side: int) -> tuple[NDArray[np.int64], Values]:
    """Number of the band of each value of a half spectrum (side, side // 2 + 1), 0 or bins + 1
    outside SHARPNESS_BAND, and its frequency.

    Bands are equally wide in log frequency, so that the many fast waves do not outweigh the few
    slow ones.
    """
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    edges = np.geomspace(*SHARPNESS_BAND, _SPECTRUM_BINS + 1)
    return np.digitize(frequency, edges * (1 - 1e-9)).astype(np.int64), frequency


def _slope(
    patch: Pixels, window: NDArray[np.float32], band: NDArray[np.int64], frequency: Values
) -> float:
    """The slope of one patch, NaN where it has one level."""
    luma = patch.astype(np.float32) @ _LUMA
    if luma.min() == luma.max():
        return math.nan
    power = np.abs(fft.rfft2((luma - luma.mean()) * window)) ** 2
    size = _SPECTRUM_BINS + 2
    count, total, place = (
        np.bincount(band.ravel(), weights, size)[1:-1]
        for weights in (None, power.ravel(), frequency.ravel())
    )
    if not total[count > 0].all():
        return math.nan
    x, y = (np.log(sums[count > 0] / count[count > 0]) for sums in (place, total))
    return float(np.polyfit(x, y, 1)[0])


def _some_pixels(images: Pixels) -> Pixels:
    """All pixels (N, 3), or a fixed random choice of very many (a regular one would beat with the
    blocks of JPEG)."""
    pixels = images.reshape(-1, 3)
    if len(pixels) <= _MAX_PIXELS:
        return pixels
    return pixels[np.sort(seeded("pixels", 0).integers(len(pixels), size=_MAX_PIXELS))]


def _mean_and_sd(histogram: NDArray[np.int64], value: Values) -> tuple[Values, Values]:
    """Of each channel (3,), from how often each level occurs and what it stands for (256,)."""
    share = histogram / histogram.sum(axis=1, keepdims=True)
    mean = share @ value
    return mean, np.sqrt((share * (value - mean[:, None]) ** 2).sum(axis=1))
