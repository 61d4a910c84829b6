"""The places and limits of MIDOG 2025, track 1, in words that its organisers' containers have."""

from __future__ import annotations

from midog.submission import contract


def test_places_are_those_of_the_organisers_containers() -> None:
    assert str(contract.INPUT / contract.IMAGES) == "/input/images/histopathology-roi-cropout"
    assert str(contract.INPUT / contract.INPUTS_NAME) == "/input/inputs.json"
    assert str(contract.OUTPUT / contract.OUTPUT_NAME) == "/output/mitotic-figures.json"
    assert str(contract.MODEL) == "/opt/ml/model"
    assert contract.SLUG == "histopathology-region-of-interest-cropout"
    assert contract.IMAGE_SUFFIXES == (".tif", ".tiff", ".mha")
    assert (contract.LOWEST_MM, contract.HIGHEST_MM) == (-0.0075, 10)
