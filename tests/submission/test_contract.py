"""The places and limits of MIDOG 2025, in words that its organisers' containers have."""

from __future__ import annotations

from midog.submission import contract
from midog.submission.contract import CLASSIFICATION, DETECTION, TRACKS


def test_places_are_those_of_the_organisers_containers() -> None:
    assert str(contract.INPUT / DETECTION.images) == "/input/images/histopathology-roi-cropout"
    assert str(contract.INPUT / contract.INPUTS_NAME) == "/input/inputs.json"
    assert str(contract.OUTPUT / DETECTION.output_name) == "/output/mitotic-figures.json"
    assert str(contract.MODEL) == "/opt/ml/model"
    assert DETECTION.slug == "histopathology-region-of-interest-cropout"
    assert contract.IMAGE_SUFFIXES == (".tif", ".tiff", ".mha")
    assert (contract.LOWEST_MM, contract.HIGHEST_MM) == (-0.0075, 10)


def test_track_2_has_places_of_its_own() -> None:
    assert CLASSIFICATION.slug == "stacked-histopathology-roi-cropouts"
    assert CLASSIFICATION.images.as_posix() == "images/stacked-histopathology-roi-cropouts"
    assert CLASSIFICATION.output_slug == "multiple-mitotic-figure-classification"
    assert CLASSIFICATION.output_name == "multiple-mitotic-figure-classification.json"
    assert {number: track.number for number, track in TRACKS.items()} == {1: 1, 2: 2}
