"""A share of the mutants that scripts/fuzz.py makes: an image, or one line; never anything else."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from midog.errors import MidogError
from midog.images.image import open_image

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
MUTANTS_PER_IMAGE = 8


def test_mutants_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    from fuzzing.mutate_images import mutated_image
    from fuzzing.samples import draw_images

    (tmp_path / "images").mkdir()
    draw_images(tmp_path / "images")
    refused = read = 0
    for sample in sorted((tmp_path / "images").iterdir()):
        content = sample.read_bytes()
        with open_image(sample) as image:
            assert image.read(0, 0, 9, 9).shape == (9, 9, 3)
        for number in range(MUTANTS_PER_IMAGE):
            path = tmp_path / f"mutant {sample.name}"
            path.write_bytes(mutated_image(random.Random(f"{sample.name} {number}"), content))
            if (line := _refusal(path)) is None:
                read += 1
            else:
                assert "\n" not in line
                assert path.name in line
                refused += 1
    assert min(read, refused) > 50


def _refusal(path: Path) -> str | None:
    """The line that refuses an image, None for one that is read."""
    try:
        with open_image(path) as image:
            assert 0 < image.width <= 500_000
            assert 0 < image.height <= 500_000
            pixels = image.read(0, 0, min(image.width, 512), min(image.height, 512))
            assert pixels.dtype == np.uint8
    except MidogError as error:
        return str(error)
    return None
