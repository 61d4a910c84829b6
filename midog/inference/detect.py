"""Detector: an image in, Detections out."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from midog.boxes import Detections
from midog.config import RunConfig, parse_config
from midog.data.augment import to_float
from midog.data.slides import SlideImage, as_image, open_image, scale_for
from midog.devices import pick_device
from midog.errors import ConfigError, DeviceError, ImageError
from midog.inference.model_folder import (
    CARD,
    WEIGHTS,
    Card,
    find_folder,
    load_weights,
    read_card,
    versions,
    write_folder,
)
from midog.models import build_model
from midog.tiling import grid, inside_tile, merge

Pixels = NDArray[np.uint8]
Progress = Callable[[int, int], None]
Found = tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64]]


class Detector:
    """Finds figures in images of any size, tile by tile.

    model: eval-mode call `model(images (B, 3, H, W) float32 in [0, 1], floor=…)` gives per image "boxes" (n, 4) px,
    "scores" (n,) and "labels" (n,) from 1. It is moved to `device`.
    config: of the model's run. class_names: of labels 1, 2, ….
    threshold: score in [0, 1] from which a detection counts; kept here for those who count, nothing is dropped by it.
    device: auto, cpu, cuda, cuda:1, mps. tile, overlap (px), batch_size, floor: None takes config.inference.
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
        tile: int | None = None,
        overlap: int | None = None,
        batch_size: int | None = None,
        floor: float | None = None,
        workers: int = 2,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold {threshold} is not a score", "give a number from 0 to 1")
        given = {"tile": tile, "overlap": overlap, "batch_size": batch_size, "floor": floor}
        chosen = {key: value for key, value in given.items() if value is not None}
        inference = parse_config({"inference": config.inference.model_dump() | chosen}).inference
        self.tile, self.overlap = inference.tile, inference.overlap
        self.batch_size, self.floor = inference.batch_size, inference.floor
        self.config, self.mpp = config, config.data.mpp
        self.class_names, self.threshold, self.workers = tuple(class_names), float(threshold), workers
        self.info = dict(info or {})
        self.device = pick_device(device)
        self.model = model.to(self.device)

    def __call__(
        self, image: Path | str | Pixels | SlideImage, *, mpp: float | None = None, progress: Progress | None = None
    ) -> Detections:
        """All detections with score >= floor, boxes in level-0 px of the image, best first.

        image: a file, pixels (H, W, 3) uint8 RGB, or an open image (left open).
        mpp: um/px of the image, overrules what the file says. progress: called with tiles done and tiles in all.
        Raises ImageError where the image cannot be read or no mpp is known, DeviceError where memory runs out.
        """
        with contextlib.nullcontext(image) if isinstance(image, SlideImage) else _open(image) as opened:
            scale = scale_for(known_mpp(opened, mpp), self.mpp)
            width, height = opened.scaled_size(scale)
            boxes, scores, labels = self._look(opened, scale, progress or (lambda done, total: None))
            boxes = np.clip(boxes, 0, [width, height, width, height])
            boxes = np.minimum(boxes / scale, [opened.width, opened.height] * 2)
        keep = merge(boxes, scores, labels, self.config.model.nms_iou)
        keep = keep[(boxes[keep, 2:] > boxes[keep, :2]).all(axis=1)]
        return Detections(boxes[keep].astype(np.float32), scores[keep], labels[keep])

    def settings(self) -> dict[str, Any]:
        """What decides the detections in an image, as plain JSON values; `weights` is a digest of them."""
        digest = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        names = ("threshold", "tile", "overlap", "floor", "mpp")
        return {
            "weights": digest.hexdigest()[:16],
            "class_names": list(self.class_names),
            "nms_iou": self.config.model.nms_iou,
            **{name: getattr(self, name) for name in names},
        }

    def save(self, folder: Path | str) -> None:
        """Write model.safetensors and model.json into `folder`, which is there whole or not at all.

        A model that is there is replaced. Raises WeightsError where the folder holds other files or cannot be written.
        """
        assert not Card.model_fields.keys() & self.info.keys(), "info is for further keys"
        card = {
            "format": 1,
            "config": self.config.to_dict(),
            "class_names": self.class_names,
            "mpp": self.mpp,
            "threshold": self.threshold,
            "versions": versions(),
            **self.info,
        }
        state = {name: value.detach().cpu().contiguous() for name, value in self.model.state_dict().items()}
        weights = to_safetensors(state, {"class_names": "\n".join(self.class_names)})
        text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_folder(Path(folder).expanduser().resolve(), {WEIGHTS: weights, CARD: text.encode()})

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        device: str = "auto",
        threshold: float | None = None,
        tile: int | None = None,
        overlap: int | None = None,
        batch_size: int | None = None,
        floor: float | None = None,
        workers: int = 2,
    ) -> Self:
        """The detector of a model folder, or of the `best` in a run's folder; None takes what the model holds.

        Raises WeightsError for a folder that is missing, damaged, pickled, or whose files do not fit each other.
        """
        found = find_folder(Path(folder).expanduser())
        card, config = read_card(found / CARD)
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
            floor=floor,
            workers=workers,
            info=card.model_extra,
        )

    def _look(self, image: SlideImage, scale: float, progress: Progress) -> Found:
        """What each tile may report, tile after tile; boxes in px of the image resampled by `scale`."""
        size = image.scaled_size(scale)
        origins = grid(*size, self.tile, self.overlap)
        found = [_nothing()]

        def read(number: int) -> Pixels:
            x, y = origins[number].tolist()
            return image.read_scaled(x, y, self.tile, self.tile, scale)

        ahead = _in_order(read, len(origins), self.workers, self.workers + self.batch_size)
        with evaluating(self.model), torch.inference_mode(), contextlib.closing(ahead) as tiles:
            for number, images in enumerate(_batches(tiles, self.batch_size)):
                corners = origins[number * self.batch_size :][: self.batch_size].tolist()
                results = self._forward(images)[: len(corners)]  # the rest are the white tiles that fill a batch
                found += [self._place(result, x, y, size) for result, (x, y) in zip(results, corners, strict=True)]
                progress(len(found) - 1, len(origins))
        boxes, scores, labels = (np.concatenate(column) for column in zip(*found, strict=True))
        return boxes, scores, labels

    def _place(self, result: Mapping[str, Tensor], x: int, y: int, size: tuple[int, int]) -> Found:
        """One tile's result in px of the (resampled) image, without what a neighbour sees better."""
        boxes = result["boxes"].cpu().double().numpy() + np.array([x, y, x, y])
        scores = result["scores"].cpu().float().numpy()
        keep = inside_tile(boxes, (x, y), self.tile, self.overlap, *size) & (scores >= np.float32(self.floor))
        return boxes[keep], scores[keep], result["labels"].cpu().numpy()[keep]

    def _forward(self, images: Tensor) -> list[dict[str, Tensor]]:
        """The model's results for tiles (B, tile, tile, 3) uint8."""
        try:
            results: list[dict[str, Tensor]] = self.model(to_float(images.to(self.device)), floor=self.floor)
            return results
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        raise self._out_of_memory()  # out here, where the failed call's tensors are let go

    def _out_of_memory(self) -> DeviceError:
        """Says which batch size fits: the first half, quarter, … of this one that gets through."""
        what = f"{self.device} is out of memory with {self.batch_size} tiles of {self.tile} px at a time"
        size = self.batch_size // 2
        while size:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            try:
                white = torch.full((size, self.tile, self.tile, 3), 255, dtype=torch.uint8, device=self.device)
                self.model(to_float(white), floor=self.floor)
                return DeviceError(what, f"use --batch-size {size}")
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                size //= 2
        smaller = self.tile // 64 * 32
        return DeviceError(
            what, f"use --tile {smaller}" if smaller >= max(64, 2 * self.overlap) else "use --device cpu"
        )


def known_mpp(image: SlideImage, given: float | None) -> float:
    """um/px of an image: what the user gave, else what the file says. Raises ImageError where there is neither."""
    mpp = image.mpp if given is None else given
    if mpp is None:
        raise ImageError(f"{image.path}: no mpp (um/px) is known", "give --mpp, in Python mpp=, for example 0.25")
    if not 0 < mpp < 100:
        raise ImageError(f"{image.path}: mpp {mpp} cannot be", "give --mpp in um/px, for example 0.25")
    return mpp


def _open(image: Path | str | Pixels) -> SlideImage:
    if not isinstance(image, np.ndarray):
        return open_image(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"an array {image.shape} {image.dtype} is no image", "give pixels (H, W, 3) uint8 RGB")
    return as_image(image, None)


def _nothing() -> Found:
    return np.zeros((0, 4)), np.zeros(0, np.float32), np.zeros(0, np.int64)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards every module is in the mode that it had, frozen ones too."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _in_order(read: Callable[[int], Pixels], count: int, workers: int, ahead: int) -> Generator[Pixels]:
    """read(0) to read(count - 1), in order; `workers` threads read at most `ahead` of them ahead, 0: none does."""
    if workers == 0:
        yield from map(read, range(count))
        return
    waiting: deque[Future[Pixels]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="midog-tiles") as pool:
        try:
            for number in range(count):
                waiting.append(pool.submit(read, number))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _batches(tiles: Iterator[Pixels], size: int) -> Iterator[Tensor]:
    """Batches (size, H, W, 3) uint8; the last one is filled with white tiles, so that all have one shape."""
    while batch := list(islice(tiles, size)):
        white = np.full_like(batch[0], 255)
        yield torch.from_numpy(np.stack(batch + [white] * (size - len(batch))))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether CUDA, MPS or the CPU had no memory left: each says it in its own way."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text
