"""Features from a backbone: the maps of the detector's own forward pass, averaged."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from midog.config.load import parse_config
from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import DeviceError
from midog.inference.detector import Detector
from midog.models.build import build_model
from midog.shift import features
from midog.shift.feature_distances import FEATURE_DISTANCES, feature_distances
from midog.shift.features import (
    MeasuredScanners,
    backbone_features,
    distances_between,
    distances_within,
    measure_scanners,
)
from midog.shift.halves import halve
from midog.shift.images import IMAGE_DISTANCES, image_distances, image_stats
from midog.shift.patches import fixed_patches

Pixels = NDArray[np.uint8]
SIDE = 64


def make(unfrozen: int = 5, **model: Any) -> Detector:
    """A ResNet-18 with random weights and two maps: 128 and 256 channels."""
    settings = {
        "backbone": {"kind": "resnet18", "unfrozen_layers": unfrozen},
        "weights": "none",
        "anchor_sizes": [[32], [50]],
    }
    torch.manual_seed(0)
    config = parse_config({"model": settings | model, "sampling": {"patch_size": 128}})
    return Detector(build_model(config, pretrained=False).eval(), config, device="cpu")


@pytest.fixture(scope="module")
def detector() -> Detector:
    return make()


def draw(count: int, side: int = SIDE) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def shapes_shown(detector: Detector, call: Callable[[], Any]) -> list[tuple[int, ...]]:
    """Shapes of what the body is shown during a call."""
    shapes: list[tuple[int, ...]] = []
    watch = detector.model.backbone.body.register_forward_pre_hook(
        lambda _, given: shapes.append(given[0].shape)
    )
    call()
    watch.remove()
    return [tuple(shape) for shape in shapes]


def test_they_are_the_means_of_the_maps_of_normalised_patches(detector):
    patches = draw(2)
    shown = (patches / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        maps = detector.model.backbone.body(torch.from_numpy(shown).permute(0, 3, 1, 2).float())
    expected = np.concatenate([level.numpy().mean(axis=(2, 3)) for level in maps], axis=1)
    features = backbone_features(detector, patches)
    assert features.shape == (2, 128 + 256)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_patches_are_shown_as_large_as_tiles_are():
    larger = make(resize=192)
    assert shapes_shown(larger, lambda: backbone_features(larger, draw(1), 1)) == [(1, 3, 96, 96)]


def test_a_side_that_32_does_not_divide_is_padded(detector):
    assert shapes_shown(detector, lambda: backbone_features(detector, draw(1, 50), 1)) == [
        (1, 3, 64, 64)
    ]


def test_all_batches_have_one_shape(detector):
    assert (
        shapes_shown(detector, lambda: backbone_features(detector, draw(5), 2))
        == [(2, 3, SIDE, SIDE)] * 3
    )


def test_nothing_behind_the_body_is_computed(monkeypatch):
    detector = make()
    expected = backbone_features(detector, draw(2))
    for part in (detector.model.backbone.fpn, detector.model.head):
        monkeypatch.setattr(part, "forward", None)
    np.testing.assert_array_equal(backbone_features(detector, draw(2)), expected)


def test_the_batch_size_does_not_matter(detector):
    patches = draw(5)
    one, two, all_at_once = (backbone_features(detector, patches, size) for size in (1, 2, 16))
    np.testing.assert_allclose(one, two, atol=1e-4, rtol=0)
    np.testing.assert_allclose(one, all_at_once, atol=1e-4, rtol=0)


def test_a_patch_has_the_same_features_whatever_is_beside_it(detector):
    patches = draw(4)
    turned = backbone_features(detector, patches[::-1].copy(), 3)[::-1]
    np.testing.assert_allclose(turned, backbone_features(detector, patches, 3), atol=1e-4, rtol=0)


def test_the_same_patches_give_the_same_bytes(detector):
    assert (
        backbone_features(detector, draw(3)).tobytes()
        == backbone_features(detector, draw(3)).tobytes()
    )


def test_no_patches_give_no_features_of_the_same_length(detector):
    assert backbone_features(detector, draw(0)).shape == (0, 128 + 256)


def test_a_model_in_training_is_left_as_it_was():
    detector = make(unfrozen=2)
    before = backbone_features(detector, draw(2))
    detector.model.train()
    modes = [module.training for module in detector.model.modules()]
    state = {name: value.clone() for name, value in detector.model.state_dict().items()}
    np.testing.assert_array_equal(backbone_features(detector, draw(2)), before)
    assert [module.training for module in detector.model.modules()] == modes
    assert set(modes) == {True, False}  # frozen stages stay in eval mode
    assert all(
        torch.equal(value, state[name]) for name, value in detector.model.state_dict().items()
    )


def test_out_of_memory_is_said_in_a_line(monkeypatch):
    detector = make()

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(detector.model.backbone.body, "forward", full)
    with pytest.raises(
        DeviceError,
        match=r"cpu is out of memory with 16 patches of 64 px at a time; .*device=cpu",
    ):
        backbone_features(detector, draw(2))


def test_other_failures_are_not_called_out_of_memory(monkeypatch):
    detector = make()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(detector.model.backbone.body, "forward", broken)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        backbone_features(detector, draw(2))


# --- what scanners look like, and how far apart that is


@pytest.fixture(scope="module")
def rois(phantom) -> list[Roi]:
    return read_rois(phantom)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """`fine` sees 0.25 um/px; `coarse` and `coarse2` see 0.5."""
    folder = tmp_path_factory.mktemp("models")
    for name, mpp in (("fine", 0.25), ("coarse", 0.5), ("coarse2", 0.5)):
        config = {"model": {"backbone": "resnet18", "weights": "none"}, "data": {"mpp": mpp}}
        torch.manual_seed(0)
        parsed = parse_config(config)
        Detector(build_model(parsed, pretrained=False).eval(), parsed, device="cpu").save(
            folder / name
        )
    return {name: folder / name for name in ("fine", "coarse", "coarse2")}


@pytest.fixture(scope="module")
def measured(rois, models) -> MeasuredScanners:
    return measure_scanners(rois, models, size_px=64, per_roi=4, seed=0, device="cpu")


def test_each_model_is_shown_patches_of_its_own_resolution(measured, rois, models):
    for name, mpp in (("fine", 0.25), ("coarse", 0.5)):
        detector = Detector.load(models[name], device="cpu")
        assert detector.mpp == mpp
        for patches in fixed_patches(rois, size_px=64, per_roi=4, mpp=mpp):
            expected = backbone_features(detector, patches.images)
            np.testing.assert_array_equal(
                measured.features[name].vectors[patches.scanner], expected
            )
            assert measured.features[name].patients[patches.scanner] == patches.patients


def test_images_are_looked_at_at_a_quarter_of_a_um(measured, rois):
    for ours, theirs in zip(
        fixed_patches(rois, size_px=64, per_roi=4), measured.patches, strict=True
    ):
        np.testing.assert_array_equal(ours.images, theirs.images)
        assert measured.stats[ours.scanner].to_dict() == image_stats(ours.images).to_dict()
    assert "64 px at 0.25 um/px" in measured.words
    assert measured.words.endswith(
        "; cut again at 0.5 um/px for features of models of that resolution"
    )


def test_patches_are_cut_once_for_each_resolution(rois, models, monkeypatch):
    cut = []

    def note(rois, *, mpp, **settings):
        cut.append(mpp)
        return fixed_patches(rois, mpp=mpp, **settings)

    monkeypatch.setattr(features, "fixed_patches", note)
    monkeypatch.setattr(features, "backbone_features", lambda _detector, images: images[:, 0, 0])
    measure_scanners(rois, models, size_px=64, per_roi=1, seed=0, device="cpu")
    assert cut == [0.25, 0.5]
    again = measure_scanners(
        rois, {"fine": models["fine"]}, size_px=64, per_roi=1, seed=0, device="cpu"
    )
    assert cut == [0.25, 0.5, 0.25]
    assert "cut again" not in again.words


def test_distances_between_are_those_of_images_and_of_that_models_features(measured):
    (a, b, *_) = measured.stats
    for model in ("fine", "coarse"):
        theirs = measured.features[model]
        distances = distances_between(measured, model, [(a, b)], seed=3)
        expected = feature_distances(theirs.vectors, theirs.patients, [(a, b)], seed=3)[a, b]
        assert distances == {
            (a, b): image_distances(measured.stats[a], measured.stats[b]) | expected
        }
    assert distances_between(measured, "fine", [], seed=3) == {}


def test_the_baseline_of_image_distances_is_that_of_halves_of_a_scanners_patients(measured):
    distances = distances_within(measured, "fine", seed=3)
    for patches in measured.patches:
        assert list(distances[patches.scanner]) == [*IMAGE_DISTANCES, *FEATURE_DISTANCES]
        draws = []
        for draw_number in range(3):
            one, other = halve({"": patches.patients}, draw_number, 3)[""]
            draws.append(
                image_distances(
                    image_stats(patches.images[one]), image_stats(patches.images[other])
                )
            )
        for name in IMAGE_DISTANCES:
            assert distances[patches.scanner][name] == pytest.approx(
                np.mean([drawn[name] for drawn in draws]), nan_ok=True
            )


def test_a_scanner_of_one_patient_has_no_baseline(rois, models):
    alone = measure_scanners(
        [roi for roi in rois if roi.file_name == "001.tiff"],
        {"fine": models["fine"]},
        size_px=64,
        per_roi=4,
        seed=0,
        device="cpu",
    )
    (baseline,) = distances_within(alone, "fine", seed=0).values()
    assert all(map(math.isnan, baseline.values()))
