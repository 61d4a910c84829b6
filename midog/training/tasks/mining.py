"""Hard-negative mining: false alarms of a detector in its training ROIs, to be trained on again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Detections, FloatArray, centers_of
from midog.config.schema import Imposters, SamplingSettings
from midog.loading.locations import SampledRoi, roi_order
from midog.loading.mined_alarms import Alarms, MinedAlarms, joined_alarms, keep_hardest
from midog.metrics.ignored import is_ignored
from midog.metrics.matching import RADIUS_MM, pairs_within
from midog.metrics.points import centres_mm
from midog.mpp import MppLike
from midog.training.ranks import gather

logger = logging.getLogger(__name__)

_NO_BACKGROUND = ("ignore", "second_class")
"""Policies under which an imposter is not background to the detector."""

Detect = Callable[[int], Detections]
"""From the number of an ROI to its detections, px of the model's mpp."""


def mine(
    detect: Detect,
    rois: Sequence[SampledRoi],
    mpp: Sequence[MppLike],
    sampling: SamplingSettings,
    seed: int,
    fabric: Fabric,
    check: Callable[[], None],
) -> MinedAlarms:
    """Detect in all training ROIs, shared out over the processes; keep the hardest false alarms.

    Args:
        detect: Of the weights of now, the same on all processes.
        rois: Training ROIs, and no others.
        mpp: um/px of the ROIs as they are detected in.
        sampling: How many false alarms are requested, and what imposters are.
        seed: Of the draws.
        fabric: Processes of the training.
        check: Called after every ROI; may raise.

    Returns:
        The same on all processes, however many there are.
    """
    share: dict[int, Alarms] = {}
    for number in range(fabric.global_rank, len(rois), fabric.world_size):
        detections = detect(number)
        keep = is_false_alarm(detections, rois[number], mpp[number], sampling.imposters)
        share[number] = Alarms(
            np.full(int(keep.sum()), number, np.int64),
            detections.boxes[keep],
            detections.scores[keep].astype(np.float32),
        )
        check()
    parts = {number: own for shares in gather(fabric, share) for number, own in shares.items()}
    found = joined_alarms([parts[number] for number in range(len(rois))])
    return kept_alarms(found, rois, sampling, seed)


def kept_alarms(
    alarms: Alarms, rois: Sequence[SampledRoi], sampling: SamplingSettings, seed: int
) -> MinedAlarms:
    """Keep the false alarms that the epochs to come have draws for; see `keep_hardest`."""
    scanners = [roi.scanner for roi in rois]
    order = roi_order(rois, sampling, seed, 0)
    draws = dict.fromkeys(scanners, 0.0)
    for number, count in enumerate(np.bincount(order, minlength=len(rois)).tolist()):
        draws[scanners[number]] += sampling.p_mined * count
    return keep_hardest(alarms, scanners, [is_figure_free(roi) for roi in rois], draws)


def is_false_alarm(
    detections: Detections, roi: SampledRoi, mpp: MppLike, imposters: Imposters
) -> NDArray[np.bool_]:
    """Say which detections are false alarms.

    Those named mitotic figure which neither are within 7.5 um of a figure nor have their centre in
    its box, and which are not to be ignored. An imposter is a false alarm where it is background to
    the detector, and spared like a figure where it is not.

    Args:
        detections: In the ROI, of any score, px of the model's mpp.
        roi: With all of its figures.
        mpp: um/px of the model.
        imposters: What they are, as `sampling.imposters` has it.

    Returns:
        (D,) bool.
    """
    points = centres_mm(detections.boxes, mpp)
    figures = roi.boxes.of_class(MITOTIC_FIGURE)
    alarm: NDArray[np.bool_] = detections.labels == MITOTIC_FIGURE
    alarm &= ~is_ignored(points, centres_mm(figures, mpp), roi.ignored, mpp)
    spared = [figures]
    if imposters in _NO_BACKGROUND:
        spared.append(roi.boxes.of_class(IMPOSTER))
    for boxes in spared:
        alarm[pairs_within(centres_mm(boxes, mpp), points, RADIUS_MM).detected] = False
        alarm &= ~_centred_in(detections.boxes, boxes)
    return alarm


def is_figure_free(roi: SampledRoi) -> bool:
    """Return whether an ROI has no mitotic figure."""
    return not roi.boxes.has_figures


def counted(mined: MinedAlarms, rois: Sequence[SampledRoi], seconds: float) -> dict[str, float]:
    """Return what TensorBoard and metrics.csv show of a mining, by name.

    Args:
        mined: What was kept.
        rois: Training ROIs.
        seconds: That it took.
    """
    scalars = {"mined/alarms": float(len(mined.alarms)), "mined/seconds": seconds}
    free = [is_figure_free(rois[number]) for number in mined.alarms.rois.tolist()]
    scalars["mined/alarms_without_figures"] = float(sum(free))
    for scanner, group in mined.groups.items():
        scalars[f"mined/alarms/{scanner or 'unknown'}"] = float(group.count)
    return scalars


def line_of(mined: MinedAlarms, rois: Sequence[SampledRoi], seconds: float) -> str:
    """Return the line on the terminal: how many false alarms of which scanner and kind of ROI."""
    parts = []
    for scanner, group in mined.groups.items():
        numbers = mined.alarms.rois[group.first : group.first + group.count].tolist()
        free = sum(is_figure_free(rois[number]) for number in numbers)
        parts.append(
            f"{scanner or 'unknown'} {group.count} ({free} in ROIs without figures,"
            f" {group.count - free} in others)"
        )
    words = "; ".join(parts) or "none"
    return f"false alarms mined in {len(rois)} training ROIs in {seconds:.1f} s: {words}"


def mined_state(mined: MinedAlarms | None) -> dict[str, Tensor]:
    """Return what the checkpoint holds of it; empty where nothing was mined."""
    if mined is None:
        return {}
    alarms = mined.alarms
    return {
        "rois": torch.from_numpy(alarms.rois),
        "boxes": torch.from_numpy(alarms.boxes),
        "scores": torch.from_numpy(alarms.scores),
    }


def mined_of_state(
    state: Mapping[str, Any], rois: Sequence[SampledRoi], sampling: SamplingSettings, seed: int
) -> MinedAlarms | None:
    """Return what `mined_state` was taken of.

    Raises:
        ValueError: The state is of other ROIs, or no such state.
    """
    if "rois" not in state:
        return None
    numbers, boxes, scores = (
        _array(state, name, dtype, columns)
        for name, dtype, columns in (
            ("rois", torch.int64, None),
            ("boxes", torch.float32, 4),
            ("scores", torch.float32, None),
        )
    )
    if len({len(numbers), len(boxes), len(scores)}) != 1:
        raise ValueError("its mined false alarms are of several lengths")
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(rois):
        raise ValueError(f"its mined false alarms are of other ROIs than these {len(rois)}")
    extents = [(rois[number].width, rois[number].height) for number in numbers.tolist()]
    limits = np.array(extents, np.float32).reshape(-1, 2)
    if not ((boxes[:, :2] >= 0) & (boxes[:, :2] < boxes[:, 2:]) & (boxes[:, 2:] <= limits)).all():
        raise ValueError("its mined false alarms lie outside their ROIs")
    return kept_alarms(Alarms(numbers, boxes, scores), rois, sampling, seed)


def _array(
    state: Mapping[str, Any], name: str, dtype: torch.dtype, columns: int | None
) -> NDArray[Any]:
    """A tensor of the state, (M,) or (M, columns) of that type and finite; else ValueError."""
    value = state.get(name)
    shape = () if columns is None else (columns,)
    if (
        type(value) is not Tensor
        or value.dtype != dtype
        or value.ndim != 1 + len(shape)
        or tuple(value.shape[1:]) != shape
        or not value.isfinite().all()
    ):
        raise ValueError(f"its mined {name} are no tensor of {dtype}")
    return np.asarray(value.numpy())


def _centred_in(boxes: FloatArray, others: FloatArray) -> NDArray[np.bool_]:
    """Which of the boxes (N, 4) have their centre in one of the others (M, 4), edges included."""
    centres = centers_of(boxes)[:, None]
    within = (centres >= others[None, :, :2]) & (centres <= others[None, :, 2:])
    return np.asarray(np.any(np.all(within, axis=2), axis=1))
