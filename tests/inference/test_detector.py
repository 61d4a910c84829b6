"""Detector: every figure once, wherever it lies; same bytes for any workers; model folders load or
say why not."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from midog.boxes import Detections
from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.errors import ConfigError, DeviceError, ImageError
from midog.images.image import SlideImage, as_image, open_image
from midog.inference.detector import Detector
from midog.models.build import build_model
from midog.models.protocol import Candidates, pad_targets
from midog.mpp import Mpp, scale_for
from midog.tiling import grid, inside_tile, merge
from tests.inference.small import CONFIG, OVERLAP, TILE, detect, same
from tests.models.networks import CandidatesAlone

Pixels = NDArray[np.uint8]


class Shared(list[Any]):
    """A list that copies of a model have in common."""

    def __deepcopy__(self, memo: Any) -> Shared:
        return self


class DarkBlobs(CandidatesAlone):
    """Stands in for a trained detector: boxes each connected dark patch of what it is shown; darker
    scores higher."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.shapes = Shared()

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        assert not self.training
        assert images.dtype == torch.float32
        self.shapes.append(tuple(images.shape))
        per_image = [self._find(image.mean(dim=0).numpy()) for image in images]
        columns = (
            nn.utils.rnn.pad_sequence(list(column), batch_first=True)
            for column in zip(*per_image, strict=True)
        )
        boxes, scores, labels = columns
        return Candidates(boxes, scores.where(scores > floor, 0), labels)

    def _find(self, grey: NDArray[np.float32]) -> tuple[Tensor, Tensor, Tensor]:
        patches, _ = ndimage.label(grey < 0.6)
        boxes = [[x.start, y.start, x.stop, y.stop] for y, x in ndimage.find_objects(patches)]
        means = ndimage.mean(grey, patches, np.arange(1, len(boxes) + 1))
        scores = torch.tensor(1 - np.asarray(means), dtype=torch.float32)
        return (
            torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            scores,
            torch.ones_like(scores).long(),
        )


def blobs(**settings: Any) -> Detector:
    return Detector(
        DarkBlobs(), RunConfig(), **{"device": "cpu", "tile": TILE, "overlap": OVERLAP, **settings}
    )


def draw(width: int, height: int, boxes: NDArray[np.int64]) -> Pixels:
    pixels = np.full((height, width, 3), 230, np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        pixels[y1:y2, x1:x2] = number % 100
    return pixels


def scattered(width: int, height: int, pitch: int, side: int, seed: int) -> NDArray[np.int64]:
    """One square in each cell of a lattice, somewhere in it, so that no two touch and many lie on
    seams."""
    rng = np.random.default_rng(seed)
    lattice = np.stack(
        np.meshgrid(np.arange(0, width - pitch, pitch), np.arange(0, height - pitch, pitch)),
        axis=-1,
    )
    corners = lattice.reshape(-1, 2) + rng.integers(0, pitch - side, (lattice.size // 2, 2))
    return np.hstack([corners, corners + side])


def in_order(boxes: NDArray[Any]) -> list[list[float]]:
    return sorted(np.asarray(boxes, dtype=float).tolist())


def check_found(detections: Detections, truth: NDArray[np.int64], within: float) -> None:
    """One detection for each true box, all its sides within so many px."""
    apart = np.abs(detections.boxes[:, None] - truth).max(axis=2)
    assert sorted(apart.argmin(axis=1).tolist()) == list(range(len(truth)))
    assert apart.min(axis=1).max() <= within


@pytest.mark.parametrize(("side", "within"), [(20, 0), (48, 0), (50, 2), (60, 12)])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_figure_is_found_once(side: int, within: float, seed: int) -> None:
    truth = scattered(1100, 900, pitch=70, side=side, seed=seed)
    detections = blobs()(draw(1100, 900, truth), mpp=0.25)
    check_found(
        detections, truth, within
    )  # a view may be kept that shows 3/4 of the overlap, 48 px, or more
    assert (np.diff(detections.scores) <= 0).all()
    assert set(detections.labels.tolist()) == {1}


def test_figures_at_the_edges_and_corners_of_the_image() -> None:
    truth = np.array(
        [
            [0, 0, 30, 30],
            [670, 0, 700, 25],
            [0, 470, 12, 500],
            [690, 490, 700, 500],
            [340, 0, 360, 9],
        ]
    )
    detections = blobs()(draw(700, 500, truth), mpp=0.25)
    assert in_order(detections.boxes) == in_order(truth)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (60, 80), (256, 256), (257, 40), (40, 1000)])
def test_images_of_any_size_with_and_without_figures(width: int, height: int) -> None:
    detector = blobs()
    assert len(detector(draw(width, height, np.zeros((0, 4), np.int64)), mpp=0.25)) == 0
    truth = np.array([[width // 4, height // 4, width // 2 + 1, height // 2 + 1]])
    truth[:, 2:] = np.minimum(truth[:, 2:], truth[:, :2] + 50)
    assert in_order(detector(draw(width, height, truth), mpp=0.25).boxes) == in_order(truth)


def test_a_box_over_the_edge_of_an_image_smaller_than_a_tile_is_cut_to_the_image() -> None:
    class Wide(DarkBlobs):
        def _find(self, grey: NDArray[np.float32]) -> tuple[Tensor, Tensor, Tensor]:
            boxes = torch.tensor(
                [[80.0, 70, 130, 120], [110, 10, 140, 40]]
            )  # the second one in the white beyond
            return boxes, torch.tensor([0.9, 0.8]), torch.ones(2, dtype=torch.int64)

    detections = Detector(Wide(), RunConfig(), device="cpu", tile=TILE)(
        np.zeros((100, 100, 3), np.uint8), mpp=0.25
    )
    assert detections.boxes.tolist() == [[80, 70, 100, 100]]


def test_only_scores_over_the_floor() -> None:
    truth = np.array([[10, 10, 40, 40], [100, 100, 140, 140]])
    pixels = draw(300, 300, truth)
    pixels[10:40, 10:40] = 140  # score 0.45
    assert len(blobs(floor=0.3)(pixels, mpp=0.25)) == 2
    assert len(blobs(floor=0.5)(pixels, mpp=0.25)) == 1


@pytest.mark.parametrize("mpp", [0.5, 0.125, 0.3])
def test_an_image_of_other_mpp_is_resampled_and_its_boxes_come_back_in_its_own_pixels(
    mpp: float,
) -> None:
    side = round(10 / mpp)  # 40 px of the model
    truth = scattered(700, 600, pitch=side * 2, side=side, seed=0)
    detections = blobs()(draw(700, 600, truth), mpp=mpp)
    check_found(detections, truth, within=max(1.0, 0.25 / mpp))
    assert detections.boxes[:, 2].max() <= 700
    assert detections.boxes[:, 3].max() <= 600


@pytest.mark.parametrize("mpp", [(0.25, 0.5), (0.5, 0.25), (0.25, 0.26), (0.3, 0.25)])
def test_each_axis_is_resampled_by_its_own_factor(mpp: tuple[float, float]) -> None:
    wide, high = (round(10 / side) for side in mpp)  # 40 px of the model
    truth = scattered(700, 600, pitch=2 * max(wide, high), side=max(wide, high), seed=0)
    truth[:, 2:] = truth[:, :2] + [wide, high]
    detector = blobs()
    with detector.open(draw(700, 600, truth), mpp=mpp) as opened:
        detections = detector.detect(opened)
    check_found(detections, truth, within=1.0)
    x, y = (1, 1) if mpp == (0.25, 0.26) else (mpp[0] / 0.25, mpp[1] / 0.25)
    ((tiles, _),) = opened.groups
    assert tiles.plan.size == (round(700 * x), round(600 * y))


@pytest.mark.parametrize(
    ("image_mpp", "scale"),
    [(0.25, 1), (0.275, 1), (0.225, 1), (0.2271, 1), (0.28, 1.12), (0.5, 2), (0.2, 0.8)],
)
def test_over_ten_percent_is_resampled(image_mpp: float, scale: float) -> None:
    assert scale_for(Mpp.of(image_mpp), 0.25) == pytest.approx((scale, scale))


def test_the_given_mpp_overrules_the_files() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)

    def used(own: float | None, given: float | None) -> Mpp:
        with blobs().open(as_image(pixels, own), mpp=given) as opened:
            return opened.mpp

    assert used(0.5, 0.25) == (0.25, 0.25)
    assert used(0.5, None) == (0.5, 0.5)
    with pytest.raises(ImageError, match="give mpp"):
        used(None, None)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ImageError, match="out of range"):
            used(0.5, wrong)
    with pytest.raises(ImageError, match="give mpp"):
        blobs()(pixels)


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (0, 10, 3)])
def test_an_array_that_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="uint8 RGB"):
        blobs()(np.zeros(shape, np.uint8), mpp=0.25)
    with pytest.raises(ImageError, match="float64"):
        blobs()(np.zeros((10, 10, 3)), mpp=0.25)


@pytest.mark.parametrize("batch_size", [1, 4, 5])
def test_batches_have_one_shape_and_progress_counts_tiles(batch_size: int) -> None:
    detector, told = blobs(batch_size=batch_size), []
    detector(
        draw(600, 500, np.zeros((0, 4), np.int64)),
        mpp=0.25,
        progress=lambda done, total: told.append((done, total)),
    )
    assert set(detector.model.shapes) == {(batch_size, 3, TILE, TILE)}
    assert told[-1] == (9, 9)
    assert [done for done, _ in told] == [
        min(9, n * batch_size) for n in range(1, -(-9 // batch_size) + 1)
    ]


def watched(monkeypatch: pytest.MonkeyPatch, fail_at: int = -1) -> tuple[SlideImage, list[int]]:
    """An image of 121 tiles, and a list that grows with each tile read; one of them may fail."""
    image, read, lock = (
        as_image(np.full((2000, 2000, 3), 230, np.uint8), 0.25),
        [],
        threading.Lock(),
    )
    real = image.read_scaled

    def counted(x: int, y: int, width: int, height: int, scale: float, level: int) -> Pixels:
        with lock:
            read.append(len(read) + 1)
            if read[-1] == fail_at:
                raise ImageError("tile is damaged", "copy it again")
        return real(x, y, width, height, scale, level)

    monkeypatch.setattr(image, "read_scaled", counted)
    return image, read


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_reading_ahead_is_bounded_and_ends_with_the_call(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, read = watched(monkeypatch)
    ahead: list[int] = []
    threads = threading.active_count()
    blobs(workers=workers, batch_size=2)(
        image, progress=lambda done, total: ahead.append(len(read) - done)
    )
    assert len(read) == 121
    behind = 2  # results are told of while the next batch is looked at
    assert max(ahead) <= behind + (workers + 2 if workers else 0)
    assert threading.active_count() == threads
    assert image.read(0, 0, 1, 1).shape == (1, 1, 3), "an open image stays open"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_tile_that_cannot_be_read_ends_the_call(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, read = watched(monkeypatch, fail_at=30)
    detector, threads = blobs(workers=workers, batch_size=4), threading.active_count()
    detector.model.train()
    with pytest.raises(ImageError, match="tile is damaged"):
        detector(image)
    assert len(read) < 40
    assert threading.active_count() == threads
    assert detector.model.training


def test_modes_and_threads_are_left_as_they_were() -> None:
    detector, threads = blobs(), torch.get_num_threads()
    detector.model.train()
    detector.model.norm.eval()  # as a frozen stage is
    detector(np.zeros((50, 50, 3), np.uint8), mpp=0.25)
    assert detector.model.training
    assert not detector.model.norm.training
    assert torch.get_num_threads() == threads
    assert not torch.is_inference_mode_enabled()


class Hungry(DarkBlobs):
    """Has memory for so many tiles at a time."""

    def __init__(
        self, fits: int, message: str = "CUDA out of memory. Tried to allocate 2.00 GiB"
    ) -> None:
        super().__init__()
        self.fits, self.message = fits, message

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        if len(images) > self.fits:
            raise (
                torch.OutOfMemoryError(self.message)
                if "CUDA" in self.message
                else RuntimeError(self.message)
            )
        return super().candidates(images, floor)


@pytest.mark.parametrize(
    ("fits", "tile", "advice"),
    [
        (3, 256, "use inference.batch_size=2"),
        (1, 256, "use inference.batch_size=1"),
        (0, 256, "use inference.tile=128"),
        (0, 128, "close other programs"),
    ],
)
@pytest.mark.parametrize(
    "message", ["CUDA out of memory.", "MPS backend out of memory (x)", "can't allocate memory: y"]
)
def test_out_of_memory_says_what_fits(fits: int, tile: int, advice: str, message: str) -> None:
    detector = Detector(
        Hungry(fits, message), RunConfig(), device="cpu", tile=tile, overlap=64, batch_size=8
    )
    with pytest.raises(DeviceError, match=f"8 tiles of {tile} px at a time; {advice}"):
        detector(np.zeros((500, 500, 3), np.uint8), mpp=0.25)


def test_another_error_of_the_model_is_not_taken_for_one_of_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"):
        Detector(Hungry(0, "shapes differ"), RunConfig(), device="cpu")(
            np.zeros((5, 5, 3), np.uint8), mpp=0.25
        )


def test_settings_out_of_range_are_refused() -> None:
    for wrong, named in (
        ({"tile": 100}, "tile"),
        ({"overlap": 200}, "overlap"),
        ({"batch_size": 0}, "batch_size"),
    ):
        with pytest.raises(ConfigError, match=named):
            blobs(**wrong)
    with pytest.raises(ConfigError, match="threshold 2"):
        blobs(threshold=2)
    with pytest.raises(DeviceError, match="nowhere"):
        blobs(device="nowhere")


def test_a_file_an_open_image_and_pixels_give_the_same(composite: Path) -> None:
    path = sorted((composite / "images").glob("*.tif*"))[0]
    with open_image(path) as image:
        mpp, pixels = image.mpp, image.read(0, 0, image.width, image.height)
        of_image = blobs(workers=0, tile=512)(image)
    of_path = blobs(workers=4, tile=512)(str(path))
    assert len(of_path) > 0
    assert same(of_path, of_image)
    assert same(of_path, blobs(workers=1, tile=512, batch_size=7)(pixels, mpp=mpp))


@pytest.fixture(scope="module")
def in_threes(retinanet: nn.Module, roi: Pixels) -> Detections:
    return detect(retinanet, roi, workers=0, batch_size=3)


@pytest.mark.parametrize("workers", [1, 4])
def test_same_bytes_for_any_workers(
    workers: int, in_threes: Detections, retinanet: nn.Module, roi: Pixels
) -> None:
    assert len(in_threes) > 50
    assert same(in_threes, detect(retinanet, roi, workers=workers, batch_size=3))


@pytest.mark.parametrize("batch_size", [1, 8])
def test_same_figures_for_any_batch_size(
    batch_size: int, in_threes: Detections, retinanet: nn.Module, roi: Pixels
) -> None:
    detections = detect(retinanet, roi, batch_size=batch_size)
    one, other = np.lexsort(in_threes.boxes.round().T), np.lexsort(detections.boxes.round().T)
    np.testing.assert_allclose(detections.scores[other], in_threes.scores[one], atol=1e-4, rtol=0)
    np.testing.assert_allclose(detections.boxes[other], in_threes.boxes[one], atol=1e-2, rtol=0)
    assert np.array_equal(detections.labels[other], in_threes.labels[one])


def test_same_bytes_on_a_second_run_and_whatever_came_between(
    retinanet: nn.Module, roi: Pixels
) -> None:
    detector = Detector(retinanet, CONFIG, device="cpu", floor=0.3)
    first = detector(roi[:256, :300], mpp=0.25)
    detector(roi[300:400, :100], mpp=0.5)
    assert same(first, detector(roi[:256, :300], mpp=0.25))


def test_training_goes_on_after_detecting(retinanet: nn.Module, roi: Pixels) -> None:
    model = build_model(CONFIG, pretrained=False)
    detect(model, roi[:100, :100])
    targets = [{"boxes": torch.tensor([[10.0, 10, 50, 50]]), "labels": torch.tensor([1])}]
    sum(model(torch.rand(1, 3, 64, 64), pad_targets(targets)).values()).backward()
    assert any(parameter.grad is not None for parameter in model.parameters())


def plain_way(model: Any, pixels: Pixels, floor: float) -> Detections:
    """Tile after tile with torchvision's own steps, each suppressed by itself, then the edge rule
    and the merge."""
    tiles = []
    height, width = pixels.shape[:2]
    for x, y in grid(width, height, TILE, 32).tolist():
        tile = np.full((TILE, TILE, 3), 255, np.uint8)
        part = pixels[y : y + TILE, x : x + TILE]
        tile[: part.shape[0], : part.shape[1]] = part
        (result,) = model.detections(torch.from_numpy(tile).permute(2, 0, 1)[None] / 255, floor)
        boxes = result["boxes"].double().numpy() + np.array([x, y, x, y])
        inner = np.array([x > 0, y > 0, x + TILE < width, y + TILE < height])
        keep = inside_tile(boxes, (x, y), TILE, 32, inner)
        tiles.append((boxes[keep], result["scores"].numpy()[keep], result["labels"].numpy()[keep]))
    boxes, scores, labels = (np.concatenate(column) for column in zip(*tiles, strict=True))
    boxes = np.clip(boxes, 0, [width, height] * 2)
    keep = merge(boxes, scores, labels, CONFIG.model.nms_iou)
    keep = keep[(boxes[keep, 2:] > boxes[keep, :2]).all(axis=1)]  # not beyond the image
    return Detections(boxes[keep], scores[keep], labels[keep])


@pytest.mark.parametrize("batch_size", [1, "auto"])
def test_detections_are_those_of_the_plain_way(
    batch_size: Any, retinanet: nn.Module, roi: Pixels
) -> None:
    """float32: every figure, box and score of tile-by-tile post-processing of the unfolded
    network. Scores are kept off 1, where float32 ties those that are not equal."""
    with torch.inference_mode():
        retinanet.head.classification_head.cls_logits.weight *= 0.4
        expected = plain_way(retinanet.eval(), roi, floor=0.3)
    detections = detect(retinanet, roi, batch_size=batch_size)
    assert len(detections) == len(expected) > 50
    one, other = (
        np.column_stack([d.boxes, 1000 * d.scores, 1000 * d.labels]) for d in (expected, detections)
    )
    partner = np.abs(one[:, None] - other).max(axis=2).argmin(axis=1)
    assert len(np.unique(partner)) == len(expected)
    # px of boxes, thousandths of scores: what folded norms round otherwise, 2e-5 of a score
    np.testing.assert_allclose(other[partner], one, atol=2e-2, rtol=0)


def test_bf16_gives_the_same_bytes_for_any_workers_and_scores_near_those_of_float32(
    retinanet: nn.Module, roi: Pixels
) -> None:
    half = detect(retinanet, roi, precision="bf16", workers=0)
    assert same(half, detect(retinanet, roi, precision="bf16", workers=4))
    whole = detect(retinanet, roi)
    assert not same(half, whole)
    apart = np.abs(half.centers[:, None] - whole.centers).max(axis=2)
    near = apart.min(axis=1) < 3
    assert near.mean() > 0.8, "of a network that nobody taught"
    assert np.abs(half.scores - whole.scores[apart.argmin(axis=1)])[near].mean() < 0.02


def test_auto_takes_one_tile_for_a_small_image_and_fewer_px_for_a_large_one() -> None:
    for width, height, tile in ((100, 60, 256), (600, 500, 608), (1536, 1536, 1536)):
        detector = blobs(tile="auto", batch_size="auto")
        detector(draw(width, height, np.zeros((0, 4), np.int64)), mpp=0.25)
        assert detector.model.shapes == [(1, 3, tile, tile)]
    detector = blobs(tile="auto", batch_size="auto")
    detector(draw(3000, 2200, np.zeros((0, 4), np.int64)), mpp=0.25)
    (shape,) = set(detector.model.shapes)
    assert len(detector.model.shapes) * shape[0] * shape[2] ** 2 < 1.2 * 3000 * 2200


def test_every_figure_is_found_once_with_automatic_tiles() -> None:
    truth = scattered(2900, 1700, pitch=90, side=50, seed=2)
    check_found(
        blobs(tile="auto", batch_size="auto")(draw(2900, 1700, truth), mpp=0.25), truth, within=2
    )


def test_a_network_that_sees_images_larger_gets_smaller_tiles() -> None:
    config = parse_config({"model": {"resize": 768}, "sampling": {"patch_size": 384}})
    detector = Detector(DarkBlobs(), config, device="cpu")
    detector(draw(1400, 1400, np.zeros((0, 4), np.int64)), mpp=0.25)
    assert max(shape[2] for shape in detector.model.shapes) <= 768


def test_settings_tell_precisions_and_tiles_apart() -> None:
    settings = [
        blobs(**chosen).settings()
        for chosen in (
            {"precision": "32-true"},
            {"precision": "bf16"},
            {"precision": "bf16", "tile": "auto"},
        )
    ]
    assert [own["precision"] for own in settings] == ["32-true", "bf16", "bf16"]
    assert settings[0]["tile"] == TILE
    assert str(settings[2]["tile"]).startswith("auto")
    assert settings[1]["weights"] == settings[0]["weights"]
    with pytest.raises(ConfigError, match="precision"):
        blobs(precision="bf8")


def test_detecting_leaves_what_is_saved_as_it_was(retinanet: nn.Module, roi: Pixels) -> None:
    detector = Detector(retinanet, CONFIG, device="cpu", precision="bf16")
    before = detector.settings()
    detector(roi[:100, :100], mpp=0.25)
    assert detector.settings() == before
    assert detector.model is retinanet
