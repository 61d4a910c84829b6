"""Detector: an image in, Detections out."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from midog.boxes import Detections
from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.devices import pick_device
from midog.errors import ConfigError, DeviceError
from midog.files import to_json
from midog.images.image import SlideImage, scale_for
from midog.images.tiff_mapped import AnyPixels
from midog.inference.model_folder import (
    CARD,
    TASK,
    WEIGHTS,
    Card,
    find_folder,
    load_weights,
    read_card,
    versions,
    write_folder,
)
from midog.inference.network import Network, is_out_of_memory, pick_precision, pixels_per_step
from midog.inference.start import no_first_weights
from midog.inference.tiles import OpenTiles, TilePlan, as_opened, known_mpp
from midog.models.build import build_model
from midog.models.postprocess import Candidates, suppress
from midog.tiling import STEP, fit_batch, fit_tile, grid, inside_tile, merge

Progress = Callable[[int, int], None]
Found = tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64]]

LARGEST_TILE = 1536
"""Largest side of a tile, px as the network sees it, that `auto` takes. The head's group norms see
a whole tile, so scores depend a little on its size: it is the same on every device whose memory
bears it."""


class Detector:
    """Finds figures in images of any size, tile by tile.

    model: `candidates(images (B, 3, H, W) float32 in [0, 1], floor)` gives
    models.candidates.Candidates in px of the images. It is moved to `device`, and copied for
    detection when the first image is looked at: to detect with weights that have changed since,
    make a new Detector.
    config: of the model's run. class_names: of labels 1, 2, ….
    threshold: score in [0, 1] from which a detection counts; kept here for those who count, nothing
    is dropped by it.
    device: auto, cpu, cuda, cuda:1, mps. tile, overlap (px), batch_size, precision, floor: None
    takes config.inference.
    workers: threads that read tiles ahead; any number finds the same, to the bit.
    info: further plain values for model.json (data fingerprint, git revision).
    Raises ConfigError for a setting out of range, DeviceError for a device that is not there.
    """

    def __init__(
        self,
        model: nn.Module,
        config: RunConfig,
        *,
        class_names: Sequence[str] = ("mitotic figure",),
        threshold: float = 0.5,
        device: str = "auto",
        tile: int | Literal["auto"] | None = None,
        overlap: int | None = None,
        batch_size: int | Literal["auto"] | None = None,
        precision: str | None = None,
        floor: float | None = None,
        workers: int = 2,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold {threshold} is not a score", "give a number from 0 to 1")
        given = {
            "tile": tile,
            "overlap": overlap,
            "batch_size": batch_size,
            "precision": precision,
            "floor": floor,
        }
        chosen = {key: value for key, value in given.items() if value is not None}
        inference = parse_config({"inference": config.inference.model_dump() | chosen}).inference
        self.tile, self.overlap = inference.tile, inference.overlap
        self.batch_size, self.floor = inference.batch_size, inference.floor
        self.config, self.mpp = config, config.data.mpp
        self.class_names, self.threshold, self.workers = (
            tuple(class_names),
            float(threshold),
            workers,
        )
        self.info, self.device = dict(info or {}), pick_device(device)
        self.precision = pick_precision(inference.precision, self.device)
        self.model = model.to(self.device)

    def __call__(
        self,
        image: Path | str | AnyPixels | SlideImage,
        *,
        mpp: float | None = None,
        progress: Progress | None = None,
    ) -> Detections:
        """All detections with score > floor, boxes in level-0 px of the image, best first.

        image: a file, pixels (H, W, 3) uint8 RGB, or an open image (left open).
        mpp: um/px of the image, overrules what the file says. progress: called with tiles done and
        tiles in all. Raises ImageError where the image cannot be read or no mpp is known,
        DeviceError where memory runs out.
        """
        with self.open(image, mpp=mpp) as opened:
            return self.detect(opened, progress)

    def open(
        self, image: Path | str | AnyPixels | SlideImage, *, mpp: float | None = None
    ) -> OpenTiles:
        """An image for `detect`, of which tiles are read ahead from now on; image, mpp and errors
        as above."""
        opened = image if isinstance(image, SlideImage) else as_opened(image)
        try:
            known = known_mpp(opened, mpp)
            plan = self._plan(opened, scale_for(known, self.mpp))
            own, pinned = opened is not image, self.device.type == "cuda"
            return OpenTiles(opened, known, plan, own=own, workers=self.workers, pinned=pinned)
        except BaseException:
            if opened is not image:
                opened.close()
            raise

    def detect(self, opened: OpenTiles, progress: Progress | None = None) -> Detections:
        """What is in an image of `open`, once."""
        image, scale, (width, height) = opened.image, opened.plan.scale, opened.plan.size
        boxes, scores, labels = self._look(opened, progress or (lambda done, total: None))
        boxes = np.clip(boxes, 0, [width, height, width, height])
        boxes = np.minimum(boxes / scale, [image.width, image.height] * 2)
        keep = merge(boxes, scores, labels, self.config.model.nms_iou)
        keep = keep[(boxes[keep, 2:] > boxes[keep, :2]).all(axis=1)]
        return Detections(boxes[keep].astype(np.float32), scores[keep], labels[keep])

    def settings(self) -> dict[str, Any]:
        """What decides the detections in an image, as plain JSON values; `weights` is a digest of
        them."""
        digest = hashlib.sha256()
        for name, value in sorted(self._state().items()):
            digest.update(name.encode())
            digest.update(value.numpy().data)
        names = ("threshold", "overlap", "precision", "floor", "mpp")
        return {
            "weights": digest.hexdigest()[:16],
            "class_names": list(self.class_names),
            "nms_iou": self.config.model.nms_iou,
            "tile": f"auto, at most {self._largest_tile}" if self.tile == "auto" else self.tile,
            **{name: getattr(self, name) for name in names},
        }

    def save(self, folder: Path | str) -> None:
        """Write model.safetensors and model.json into `folder`, which is there whole or not at all.

        A model that is there is replaced. Raises WeightsError where the folder holds other files or
        cannot be written.
        """
        assert not Card.model_fields.keys() & self.info.keys(), "info is for further keys"
        card = {
            "format": 1,
            "task": TASK,
            "config": self.config.to_dict(),
            "class_names": self.class_names,
            "mpp": self.mpp,
            "threshold": self.threshold,
            "versions": versions(),
            **self.info,
        }
        weights = to_safetensors(self._state(), {"class_names": "\n".join(self.class_names)})
        text = to_json(card, ascii_only=False)
        write_folder(Path(folder).expanduser().resolve(), {WEIGHTS: weights, CARD: text.encode()})

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        device: str = "auto",
        threshold: float | None = None,
        tile: int | Literal["auto"] | None = None,
        overlap: int | None = None,
        batch_size: int | Literal["auto"] | None = None,
        precision: str | None = None,
        floor: float | None = None,
        workers: int = 2,
    ) -> Self:
        """The detector of a model folder, or of the `best` in a run's folder; None takes what the
        model holds.

        Raises WeightsError for a folder that is missing, damaged, pickled, or whose files do not
        fit each other.
        """
        found = find_folder(Path(folder).expanduser())
        card, config = read_card(found / CARD)
        with no_first_weights():
            model = build_model(config, pretrained=False)
        load_weights(model, found / WEIGHTS, card.class_names)
        return cls(
            model.eval(),
            config,
            class_names=card.class_names,
            threshold=card.threshold if threshold is None else threshold,
            device=device,
            tile=tile,
            overlap=overlap,
            batch_size=batch_size,
            precision=precision,
            floor=floor,
            workers=workers,
            info=card.model_extra,
        )

    def _state(self) -> dict[str, Tensor]:
        return {
            name: value.detach().cpu().contiguous()
            for name, value in self.model.state_dict().items()
        }

    @cached_property
    def _network(self) -> Network:
        return Network(self.model, self.device, self.precision)

    @property
    def _magnification(self) -> float:
        return self.config.model.magnification(self.config.sampling.patch_size)

    @property
    def _largest_tile(self) -> int:
        side = min(LARGEST_TILE, pixels_per_step(self.device) ** 0.5)
        return int(side / self._magnification) // STEP * STEP

    def _plan(self, image: SlideImage, scale: float) -> TilePlan:
        """How to look at an image: a function of its size, and of the device's kind and whole
        memory."""
        size = image.scaled_size(scale)
        tile = (
            fit_tile(*size, self.overlap, self._largest_tile) if self.tile == "auto" else self.tile
        )
        batch_size = self.batch_size
        if batch_size == "auto":  # a CPU is no quicker with more than one
            together = int(pixels_per_step(self.device) / (tile * self._magnification) ** 2)
            many = 1 if self.device.type == "cpu" else max(together, 1)
            batch_size = fit_batch(len(grid(*size, tile, self.overlap)), many)
        return TilePlan(scale, size, tile, self.overlap, batch_size)

    def _look(self, opened: OpenTiles, progress: Progress) -> Found:
        """What each tile may report, tile after tile; boxes in px of the resampled image."""
        found, total, done = list[Found](), len(opened.origins), 0
        under_way: deque[tuple[int, Future[Found]]] = deque()
        # A batch's results are sorted out by a thread while the model looks at the next one.
        with ThreadPoolExecutor(1, thread_name_prefix="midog-results") as results:
            for corners, images in opened.batches():
                candidates = self._forward(images)
                done += len(corners)
                under_way.append(
                    (done, results.submit(self._place, candidates, corners, opened.plan))
                )
                while len(under_way) > (done < total):
                    so_far, result = under_way.popleft()
                    found.append(result.result())
                    progress(so_far, total)
        return _joined(found)

    def _place(
        self, candidates: Callable[[], Candidates], corners: NDArray[np.int64], plan: TilePlan
    ) -> Found:
        """A batch's results in px of the resampled image, without what a neighbouring tile sees
        better."""
        found, model = list[Found](), self.config.model
        results = suppress(candidates(), model.nms_iou, model.max_detections)
        for result, (x, y) in zip(
            results, corners.tolist(), strict=False
        ):  # the rest are the white tiles
            boxes = result["boxes"].double().numpy() + np.array([x, y, x, y])
            keep = inside_tile(boxes, (x, y), plan.tile, plan.overlap, *plan.size)
            found.append(
                (boxes[keep], result["scores"].numpy()[keep], result["labels"].numpy()[keep])
            )
        return _joined(found)

    def _forward(self, images: Tensor) -> Callable[[], Candidates]:
        """The model's result for tiles (B, tile, tile, 3) uint8, to be waited for."""
        try:
            return self._network.start(images, self.floor)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        raise self._out_of_memory(
            *images.shape[:2]
        )  # out here, where the failed call's tensors are let go

    def _out_of_memory(self, batch_size: int, tile: int) -> DeviceError:
        """Says which batch size fits: the first half, quarter, … of this one that gets through."""
        what = f"{self.device} is out of memory with {batch_size} tiles of {tile} px at a time"
        size = batch_size // 2
        while size:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            try:
                self._network.start(
                    torch.full((size, tile, tile, 3), 255, dtype=torch.uint8), self.floor
                )()
                return DeviceError(what, f"use --batch-size {size}")
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            size //= 2
        smaller = tile // 64 * 32
        fits = smaller >= max(64, 2 * self.overlap)
        return DeviceError(what, f"use --tile {smaller}" if fits else "use --device cpu")


def _joined(parts: Sequence[Found]) -> Found:
    nothing: Found = np.zeros((0, 4)), np.zeros(0, np.float32), np.zeros(0, np.int64)
    boxes, scores, labels = (np.concatenate(column) for column in zip(nothing, *parts, strict=True))
    return boxes, scores, labels
