"""One network of a detector: its tiles, and what it reports in them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from midog.boxes import MITOTIC_FIGURE
from midog.config.schema import InferenceSettings
from midog.data.mpp import resampling
from midog.devices import is_out_of_memory
from midog.images.image import SlideImage
from midog.inference.model_folder import weights_digest, weights_of
from midog.inference.network import Backend, TorchBackend, out_of_memory
from midog.inference.onnx_network import RUNTIME, OnnxNetwork
from midog.inference.orientations import Orientation
from midog.inference.score_shift import lowered, shifted
from midog.inference.strip_merge import StripMerge
from midog.inference.tile_plan import TileLimits, TilePlaces, TilePlan, plan_tiles
from midog.inference.tile_results import BoxArrays, place_tiles
from midog.models.protocol import Candidates, DetectionNetwork
from midog.models.registry import DetectorSettings
from midog.mpp import Mpp, Scale


class Member:
    """A network that detects in tiles; it is copied for that when it first does.

    Args:
        network: The network, on `device`.
        settings: Of the network.
        inference: Its tiles, and its lowest score.
        mpp: um/px that it sees.
        magnification: How many times larger than it is it sees a tile.
        device: Where it runs.
        precision: '32-true' or 'bf16'.
    """

    def __init__(
        self,
        network: DetectionNetwork,
        settings: DetectorSettings,
        inference: InferenceSettings,
        *,
        mpp: float,
        magnification: float,
        device: torch.device,
        precision: str,
    ) -> None:
        self._onnx = network if isinstance(network, OnnxNetwork) else None
        if self._onnx is not None:
            self._onnx.check(inference, precision, device)
        self.network, self.settings, self.inference = network, settings, inference
        self.mpp, self.magnification = mpp, magnification
        self.device, self.precision = device, precision
        self._backend: Backend | None = None
        self._making = threading.Lock()

    @property
    def weights(self) -> str:
        """Digest of its weights, as they are now."""
        if self._onnx is not None:
            return self._onnx.facts.weights
        return weights_digest(weights_of(self.network))

    def identity(self) -> dict[str, Any]:
        """What decides its detections in an image, as plain JSON values; weights as a digest."""
        tile: int | str = self.inference.tile
        return {
            "weights": self.weights,
            **({} if self._onnx is None else {"runtime": RUNTIME}),
            "nms_iou": self.settings.nms_iou,
            "tile": f"auto, at most {self._limits().largest_tile}" if tile == "auto" else tile,
            "overlap": self.inference.overlap,
            "precision": self.precision,
            "floor": self.inference.floor,
            "mpp": self.mpp,
        }

    def plan(self, image: SlideImage, mpp: Mpp) -> TilePlan:
        """Divide an image of that mpp into tiles.

        Raises:
            ImageError: Where it would have to be enlarged beyond reason.
        """
        scale = resampling(str(image.path), (image.width, image.height), mpp, self.mpp)
        return self.plan_of(image.scaled_size(scale), scale)

    def plan_of(self, size: tuple[int, int], scale: Scale) -> TilePlan:
        """Divide an image into tiles that has (width, height) px once resampled by `scale`."""
        return plan_tiles(size, scale, self.inference, self._limits())

    def start(
        self,
        images: Tensor,
        orientation: Orientation,
        places: TilePlaces,
        plan: TilePlan,
        shift: float = 0.0,
    ) -> Callable[[], BoxArrays]:
        """Start on tiles.

        Args:
            images: (B, tile, tile, 3) uint8, shown in that orientation.
            orientation: It.
            places: of the n tiles; images beyond them are filling.
            plan: How the image is divided.
            shift: What `moved` will add to the log odds of scores.

        Returns:
            A function for any thread, which waits for the network and gives what the tiles report,
            in px of the resampled image.

        Raises:
            DeviceError: Where memory runs out.
        """
        floor = lowered(self.inference.floor, shift)
        candidates = self.candidates(orientation.turn(images), floor)

        def report() -> BoxArrays:
            return place_tiles(
                candidates(),
                places,
                plan,
                nms_iou=self.settings.nms_iou,
                max_detections=self.settings.max_detections,
                orientation=orientation,
            )

        return report

    def merging(self, plan: TilePlan, size: tuple[int, int]) -> StripMerge:
        """Begin to merge what the tiles of an image of (width, height) level-0 px report."""
        return StripMerge(plan, size, self.settings.nms_iou)

    def moved(self, reports: BoxArrays, shift: float) -> BoxArrays:
        """Add to the log odds of the scores of figures, and leave out what then scores the floor or
        less.

        Args:
            reports: Merged ones of an image, best first.
            shift: 0 leaves all as it is.
        """
        if not shift:
            return reports
        boxes, scores, labels = reports
        scores = np.where(labels == MITOTIC_FIGURE, shifted(scores, shift), scores)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > np.float32(self.inference.floor)]
        return boxes[order], scores[order], labels[order]

    def candidates(self, images: Tensor, floor: float) -> Callable[[], Candidates]:
        """Start on tiles (B, tile, tile, 3) uint8; see `Backend.start`.

        Raises:
            DeviceError: Where memory runs out.
        """
        try:
            return self._running().start(images, floor)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # out here, where the failed call's tensors are freed
        batch_size, tile = images.shape[:2]
        overlap = self.inference.overlap
        raise out_of_memory(self._running(), self.device, batch_size, tile, overlap)

    def _running(self) -> Backend:
        """The backend, made by the first thread that needs it."""
        with self._making:
            if self._backend is None:
                self._backend = (
                    TorchBackend(self.network, self.device, self.precision)
                    if self._onnx is None
                    else self._onnx.backend()
                )
            return self._backend

    def _limits(self) -> TileLimits:
        return TileLimits(
            magnification=self.magnification,
            pixels=self._running().pixels_per_step(),
            one_by_one=self.device.type == "cpu",
        )
