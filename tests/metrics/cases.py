"""ROIs that tests of metrics share: by hand, drawn by hypothesis, and the field's own."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from midog.metrics.points import RoiPoints


def roi(truth_px, found_px, scores, mpp: float = 0.25) -> RoiPoints:
    def to_mm(points):
        return np.asarray(points, np.float64).reshape(-1, 2) * mpp / 1000

    return RoiPoints(to_mm(truth_px), to_mm(found_px), np.asarray(scores, np.float64))


@st.composite
def crowded_rois(draw) -> RoiPoints:
    """Points on a coarse grid that floats hold exactly, so that distances tie and points coincide;
    few scores."""
    point = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
        lambda xy: (xy[0] / 512, xy[1] / 512)
    )  # mm
    truth = draw(st.lists(point, max_size=8))
    detected = draw(st.lists(st.tuples(point, st.integers(0, 10)), max_size=14))
    return RoiPoints(truth, [xy for xy, _ in detected], [score / 10 for _, score in detected])


@st.composite
def scattered_rois(draw) -> RoiPoints:
    point = st.tuples(st.floats(0, 120), st.floats(0, 120))
    truth = draw(st.lists(point, max_size=12))
    detected = draw(st.lists(st.tuples(point, st.floats(0, 1)), max_size=20))
    return roi(truth, [xy for xy, _ in detected], [score for _, score in detected])


def parity_rois(parity: dict, group: str) -> list[RoiPoints]:
    rois = []
    for image in parity["images"]:
        if group in ("all", image["scanner"]):
            detected = np.asarray(image["detections_px"], np.float64).reshape(-1, 3)
            rois.append(
                roi(image["mitotic_figures_px"], detected[:, :2], detected[:, 2], image["mpp"])
            )
    return rois


GROUPS = ["all", "Hamamatsu XR", "Hamamatsu S360", "Aperio CS2", "Leica GT450"]
