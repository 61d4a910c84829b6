"""FDA: a patch with its phases and a reference's amplitudes, of a scanner drawn evenly."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.fda import FDA, FdaSettings, drawn_spectra, spectra_of
from tests.augment.both_forms import by_cpu, by_device, only
from tests.augment.reference_pixels import Painted
from tests.augment.test_low_frequencies import published
from tests.augment.test_stain_shift import numbers_of
from tests.stained import USUAL, painted

SETTINGS = FdaSettings(share=0.5, beta=0.05)


def test_scanners_are_drawn_evenly_however_many_patches_they_have():
    spectra = spectra_of(Painted(), SETTINGS)
    assert {scanner: own.shape for scanner, own in spectra.items()} == {
        "A": (5, 4, 7, 3),
        "B": (3, 4, 7, 3),
    }
    numbers = np.array([[0.49, 0.99, 0.4], [0.5, 0, 0.6], [1, 1, 1]], np.float32)
    drawn = drawn_spectra(numbers, SETTINGS, spectra)
    expected = [spectra["A"][4], spectra["B"][0], spectra["B"][2]]
    assert np.array_equal(drawn["amplitudes"], np.stack(expected))
    assert drawn["changed"].tolist() == [True, False, False]
    assert FDA.describe(spectra) == {"patches": {"A": 5, "B": 3}}


def test_a_patch_is_the_papers():
    pixels, settings = Painted(), FdaSettings(share=1.0, beta=0.05)
    references = {"fda": spectra_of(pixels, settings)}
    patches = torch.from_numpy(painted(USUAL, patches=1, side=64, seed=9))
    numbers = numbers_of("fda", np.array([[0.9, 0.4, 0]], np.float32))
    expected = published(patches[0].numpy() / 255.0, pixels.images["B"][1] / 255.0, 0.05)
    expected = 255 * expected.clip(0, 1)
    light = by_device(patches, only("fda", settings), numbers, references=references)[0]
    np.testing.assert_allclose(light, expected, atol=0.01)
    cut = by_cpu(patches, only("fda", settings), numbers, references=references)[0]
    assert np.abs(cut - expected).max() < 0.51


def test_an_epoch_without_patches_needs_none():
    drawn = drawn_spectra(np.zeros((0, 3), np.float32), SETTINGS, spectra_of(Painted(), SETTINGS))
    assert drawn["amplitudes"].shape == (0, 4, 7, 3)
