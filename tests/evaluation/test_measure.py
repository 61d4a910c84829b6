"""A measure: where its value stands in JSON."""

from __future__ import annotations

from midog.evaluation.measure import Measure


def test_a_measure_stands_under_its_key_unless_it_names_a_path() -> None:
    plain = Measure("a", value=lambda rois: 0.0, resample=lambda drawn: drawn.f1, description="A.")
    assert plain.path == ("a",)
    assert plain.part == "all"
    inside = Measure(
        "b",
        value=lambda rois: 0.0,
        resample=lambda drawn: drawn.f1,
        description="B.",
        json_path=("folder", "b"),
    )
    assert inside.path == ("folder", "b")
