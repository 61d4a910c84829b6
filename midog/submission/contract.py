"""What MIDOG 2025, track 1, gives to an algorithm and takes from it, on grand-challenge.org.

The facts are those of the organisers' containers for track 1, of the algorithm
(github.com/DeepMicroscopy/MIDOG25_T1_reference_docker) and of the evaluation
(github.com/DeepMicroscopy/MIDOG25_T1_evaluation_docker).
"""

from __future__ import annotations

from pathlib import Path

INPUT = Path("/input")
OUTPUT = Path("/output")
MODEL = Path("/opt/ml/model")
"""Where the platform unpacks a model that is uploaded by itself."""
APP = Path("/opt/app")

INPUTS_NAME = "inputs.json"
"""In INPUT: the list of what an image's job is given."""
SLUG = "histopathology-region-of-interest-cropout"
IMAGES = Path("images") / "histopathology-roi-cropout"
"""In INPUT: the folder of the one image."""
IMAGE_SUFFIXES = (".tif", ".tiff", ".mha")
OUTPUT_NAME = "mitotic-figures.json"
OUTPUT_SLUG = "mitotic-figures"
MEMORY_GB = 16

LOWEST_MM = -7.5e-3
"""Coordinates below it are refused: the match radius beyond the image's edge."""
HIGHEST_MM = 10.0
"""Coordinates above it are refused: they would be px."""
