"""Windows have the area that was asked for, and the share of it that an image holds."""

from __future__ import annotations

import math

import pytest

from midog.metrics.windows import Window


@pytest.mark.parametrize("shape", ["4:3", "3:4", "1:1", "16:9.5", "circle"])
@pytest.mark.parametrize("area", [0.237, 2.0])
def test_a_window_has_its_area_and_ratio(area: float, shape: str) -> None:
    window = Window.of(area, shape)
    assert window.area_mm2 == pytest.approx(area)
    if shape != "circle":
        across, down = map(float, shape.split(":"))
        assert window.width_mm / window.height_mm == pytest.approx(across / down)


def test_whos_field_is_known() -> None:
    window = Window.of(2.0, "4:3")
    assert (window.width_mm, window.height_mm) == (
        pytest.approx(1.63299, abs=1e-5),
        pytest.approx(1.22474, abs=1e-5),
    )


@pytest.mark.parametrize("shape", ["1:1", "circle"])
def test_the_area_inside_an_image(shape: str) -> None:
    window = Window.of(1.0 if shape == "1:1" else math.pi, shape)
    area = window.area_mm2
    assert window.area_inside(5, 5, (10, 10)) == area
    assert window.area_inside(0, 5, (10, 10)) == pytest.approx(area / 2, rel=1e-4)
    assert window.area_inside(10, 0, (10, 10)) == pytest.approx(area / 4, rel=1e-4)
    assert window.area_inside(0.1, 0.1, (0.2, 0.2)) == pytest.approx(0.04, rel=1e-4)
    assert window.area_inside(50, 50, (10, 10)) == 0
