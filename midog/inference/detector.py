"""Detector: an image in, Detections out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from midog.boxes import Detections
from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.data.mpp import mpp_of_image, resampling
from midog.devices import is_out_of_memory, pick_device
from midog.errors import ConfigError
from midog.images.image import SlideImage
from midog.images.tiff_mapped import AnyPixels
from midog.inference.model_folder import read_model, weights_digest, write_model
from midog.inference.network import (
    Backend,
    TorchBackend,
    out_of_memory,
    pick_precision,
)
from midog.inference.tile_plan import TileLimits, TilePlan, plan_tiles
from midog.inference.tile_results import BoxArrays, joined, place_tiles
from midog.inference.tiles import OpenTiles, ResidentTiles, Tiles, as_opened
from midog.models.protocol import Candidates, DetectionNetwork
from midog.mpp import MppLike, Scale
from midog.names import real_path
from midog.tiling import merge

OnTiles = Callable[[int, int], None]
"""Called with the number of tiles done and that of all tiles."""


class Detector:
    """Detects figures in images of any size, tile by tile.

    Args:
        model: the network. It is moved to `device`, and copied for detection when the first image
            is opened: to detect with weights that have changed since, make a new Detector.
        config: of the model's run.
        class_names: of the labels 1, 2, ….
        threshold: score in [0, 1] from which a detection counts; kept here for whoever counts,
            nothing is dropped by it.
        device: auto, cpu, cuda, cuda:1, mps.
        tile, overlap, batch_size, precision, floor: None takes config.inference.
        workers: threads that read tiles ahead; any number gives the same detections, to the bit.
        info: further plain values for model.json (data fingerprint, git revision).

    Raises:
        ConfigError: for a setting out of range.
        DeviceError: for a device that does not exist.
    """

    def __init__(
        self,
        model: DetectionNetwork,
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
        self.inference = parse_config(
            {"inference": config.inference.model_dump() | chosen}
        ).inference
        self.config, self.mpp = config, config.data.mpp
        self.class_names, self.threshold = tuple(class_names), float(threshold)
        self.workers, self.info = workers, dict(info or {})
        self.device = pick_device(device)
        self.precision = pick_precision(self.inference.precision, self.device)
        self.model = model.to(self.device)
        self._backend: Backend | None = None
        self._making = threading.Lock()

    def __call__(
        self,
        image: Path | str | AnyPixels | SlideImage,
        *,
        mpp: MppLike | None = None,
        progress: OnTiles | None = None,
    ) -> Detections:
        """Detect figures in an image.

        Args:
            image: a file, pixels (H, W, 3) uint8 RGB, or an open image (left open).
            mpp: um/px of the image, or those along x and y; overrules what the file states.
            progress: called after every batch of tiles.

        Returns:
            All detections with score > floor, boxes in level-0 px of the image, best first.

        Raises:
            ImageError: where the image cannot be read or its mpp is unknown.
            DeviceError: where memory runs out.
        """
        with self.open(image, mpp=mpp) as opened:
            return self.detect(opened, progress)

    def open(
        self, image: Path | str | AnyPixels | SlideImage, *, mpp: MppLike | None = None
    ) -> OpenTiles:
        """Open an image for `detect`; its tiles are read ahead from now on.

        Arguments and errors are those of calling the detector.
        """
        opened = image if isinstance(image, SlideImage) else as_opened(image)
        try:
            own_mpp = mpp_of_image(opened, mpp)
            size = opened.width, opened.height
            scale = resampling(str(opened.path), size, own_mpp, self.mpp)
            return OpenTiles(
                opened,
                own_mpp,
                self._plan(opened.scaled_size(scale), scale),
                own=opened is not image,
                workers=self.workers,
                pinned=self.device.type == "cuda",
            )
        except BaseException:
            if opened is not image:
                opened.close()
            raise

    def detect_resident(self, pixels: Tensor) -> Detections:
        """Detect figures in pixels (H, W, 3) uint8 of the model's mpp that lie on a device."""
        height, width = pixels.shape[:2]
        return self.detect(ResidentTiles(pixels, self._plan((width, height), (1.0, 1.0))))

    def detect(self, opened: Tiles, progress: OnTiles | None = None) -> Detections:
        """Detect figures in an image from `open`, once."""
        image, scale, (width, height) = opened.image, opened.plan.scale, opened.plan.size
        boxes, scores, labels = self._detect_tiles(opened, progress or (lambda done, total: None))
        boxes = np.clip(boxes, 0, [width, height, width, height])
        boxes = np.minimum(boxes / (scale * 2), [image.width, image.height] * 2)
        keep = merge(boxes, scores, labels, self.config.model.nms_iou)
        keep = keep[(boxes[keep, 2:] > boxes[keep, :2]).all(axis=1)]
        return Detections(boxes[keep].astype(np.float32), scores[keep], labels[keep])

    def settings(self) -> dict[str, Any]:
        """What decides the detections in an image, as plain JSON values; weights as a digest."""
        tile: int | str = self.inference.tile
        return {
            "weights": weights_digest(self._state()),
            "class_names": list(self.class_names),
            "nms_iou": self.config.model.nms_iou,
            "tile": f"auto, at most {self._limits().largest_tile}" if tile == "auto" else tile,
            "threshold": self.threshold,
            "overlap": self.inference.overlap,
            "precision": self.precision,
            "floor": self.inference.floor,
            "mpp": self.mpp,
        }

    def save(self, folder: Path | str) -> None:
        """Write model.safetensors and model.json into a folder, both or neither.

        A model that is there is replaced.

        Raises:
            WeightsError: where the folder holds other files or cannot be written.
        """
        write_model(
            real_path(folder),
            self._state(),
            self.config,
            class_names=self.class_names,
            threshold=self.threshold,
            info=self.info,
        )

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
        """Load the detector of a model folder, or of the `best` in a run's folder.

        Args:
            folder: the model's or the run's folder.
            device, workers: as of Detector.
            threshold, tile, overlap, batch_size, precision, floor: None takes what the model holds.

        Raises:
            WeightsError: for a folder that is missing, damaged, pickled, or whose files do not fit
                each other.
        """
        model, config, card = read_model(Path(folder).expanduser())
        return cls(
            model,
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

    def _running(self) -> Backend:
        """The backend, made by the first thread that needs it."""
        with self._making:
            if self._backend is None:
                self._backend = TorchBackend(self.model, self.device, self.precision)
            return self._backend

    def _limits(self) -> TileLimits:
        return TileLimits(
            magnification=self.config.model.magnification(self.config.sampling.patch_size),
            pixels=self._running().pixels_per_step(),
            one_by_one=self.device.type == "cpu",
        )

    def _plan(self, size: tuple[int, int], scale: Scale) -> TilePlan:
        return plan_tiles(size, scale, self.inference, self._limits())

    def _detect_tiles(self, opened: Tiles, progress: OnTiles) -> BoxArrays:
        """What all tiles report, in the order of the tiles."""
        parts, total, done = list[BoxArrays](), len(opened.origins), 0
        pending: deque[tuple[int, Future[BoxArrays]]] = deque()
        model = self.config.model

        def place(wait: Callable[[], Candidates], corners: NDArray[np.int64]) -> BoxArrays:
            return place_tiles(
                wait(),
                corners,
                opened.plan,
                nms_iou=model.nms_iou,
                max_detections=model.max_detections,
            )

        # A thread places the results of a batch while the network runs on the next one.
        with ThreadPoolExecutor(1, thread_name_prefix="midog-results") as results:
            for corners, images in opened.batches():
                candidates = self._start(images)
                done += len(corners)
                pending.append((done, results.submit(place, candidates, corners)))
                while len(pending) > (done < total):
                    so_far, result = pending.popleft()
                    parts.append(result.result())
                    progress(so_far, total)
        return joined(parts)

    def _start(self, images: Tensor) -> Callable[[], Candidates]:
        """Start on tiles (B, tile, tile, 3) uint8; what is returned waits for the result."""
        try:
            return self._running().start(images, self.inference.floor)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # out here, where the failed call's tensors are freed
        batch_size, tile = images.shape[:2]
        overlap = self.inference.overlap
        raise out_of_memory(self._running(), self.device, batch_size, tile, overlap)
