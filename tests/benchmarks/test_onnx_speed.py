"""The benchmark of ONNX prints a ratio, and notices detections that differ."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.onnx_speed import difference, main
from midog.boxes import Detections, squares_around

SOME = Detections(squares_around([(100, 100), (300, 200)]), [0.9, 0.4], [1, 1])


def test_the_same_detections_in_another_order_are_the_same() -> None:
    moved = Detections(SOME.boxes[::-1] + 0.1, SOME.scores[::-1] + np.float32(5e-4), [1, 1])
    assert difference(SOME, moved) == pytest.approx(5e-4, abs=1e-6)
    assert difference(Detections(), Detections()) == 0


@pytest.mark.parametrize(
    "other",
    [
        SOME.select(np.array([0])),
        Detections(SOME.boxes, [0.9, 0.5], [1, 1]),
        Detections(SOME.boxes + 1, SOME.scores, [1, 1]),
        Detections(SOME.boxes, SOME.scores, [1, 2]),
        Detections(SOME.boxes[[0, 0]], SOME.scores, [1, 1]),
    ],
)
def test_others_are_noticed(other: Detections) -> None:
    assert difference(SOME, other) is None


def test_it_prints_a_row_with_the_ratio(model, phantom, capsys) -> None:
    pytest.importorskip("onnxruntime")
    image = phantom / "images" / "001.tiff"
    words = [str(model), "--image", str(image), "--tile", "128", "--side", "160", "--rounds", "1"]
    assert main(words) == 0
    header, _, row, words = capsys.readouterr().out.splitlines()[-4:]
    cells = dict(zip(header.split("|"), row.split("|"), strict=True))
    torch_s, onnx_s, ratio = (float(cells[f" {key} "]) for key in ("torch, s", "ONNX, s", "ratio"))
    assert min(torch_s, onnx_s, ratio) > 0
    assert "scores differ by at most" in words
