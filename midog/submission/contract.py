"""What MIDOG 2025 gives to an algorithm and takes from it, by track, on grand-challenge.org.

The facts are those of the organisers' containers: of the algorithms
(github.com/DeepMicroscopy/MIDOG25_T1_reference_docker and MIDOG25_T2_reference_docker) and of the
evaluations (MIDOG25_T1_evaluation_docker, and MIDOG25_T2_evaluation_docker at 2d1b108 or later,
before which `confidence` was that of the class that is stated).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

INPUT = Path("/input")
OUTPUT = Path("/output")
MODEL = Path("/opt/ml/model")
"""Where the platform unpacks a model that is uploaded by itself."""
APP = Path("/opt/app")

INPUTS_NAME = "inputs.json"
"""In INPUT: the list of what an image's job is given."""
IMAGE_SUFFIXES = (".tif", ".tiff", ".mha")
MEMORY_GB = 16


@dataclass(frozen=True)
class Track:
    """What one track gives and takes.

    Attributes:
        number: 1 or 2.
        slug: Of the one input of a job.
        images: In INPUT, the folder of the one image.
        output_slug: Of the one output.
        output_name: In OUTPUT, its file.
        image: What the image is, in a word.
        does: What an algorithm of it is, in words.
    """

    number: int
    slug: str
    images: Path
    output_slug: str
    output_name: str
    image: str
    does: str


DETECTION = Track(
    number=1,
    slug="histopathology-region-of-interest-cropout",
    images=Path("images") / "histopathology-roi-cropout",
    output_slug="mitotic-figures",
    output_name="mitotic-figures.json",
    image="roi",
    does="A detector of mitotic figures",
)
CLASSIFICATION = Track(
    number=2,
    slug="stacked-histopathology-roi-cropouts",
    images=Path("images") / "stacked-histopathology-roi-cropouts",
    output_slug="multiple-mitotic-figure-classification",
    output_name="multiple-mitotic-figure-classification.json",
    image="stack",
    does="A classifier of atypical mitotic figures",
)
TRACKS = {track.number: track for track in (DETECTION, CLASSIFICATION)}
"""The tracks by number."""

LOWEST_MM = -7.5e-3
"""Coordinates below it are refused: the match radius beyond the image's edge."""
HIGHEST_MM = 10.0
"""Coordinates above it are refused: they would be px."""
