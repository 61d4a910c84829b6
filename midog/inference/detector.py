"""Detector: an image in, Detections out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from torch import Tensor

from midog.boxes import Detections
from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.devices import pick_device
from midog.errors import ConfigError, WeightsError
from midog.images.image import SlideImage
from midog.images.tiff_mapped import AnyPixels
from midog.inference.calibration import Calibration, read_calibration, shifts_in
from midog.inference.fusion import FUSION, fuse
from midog.inference.loaded_models import read_models
from midog.inference.member import Member
from midog.inference.model_folder import weights_of, write_model
from midog.inference.network import pick_precision
from midog.inference.opened_image import LookedAt, OpenedImage, open_for, resident
from midog.inference.orientations import orientations as orientations_of
from midog.inference.tiles import OpenTiles
from midog.inference.views import OnTiles, views_of
from midog.models.protocol import DetectionNetwork
from midog.mpp import MppLike
from midog.names import real_path

logger = logging.getLogger(__name__)


class Detector:
    """Detects figures in images of any size, tile by tile; with one model or several.

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
        orientations: how many of the eight orientations every tile is shown in: 1, 2, 4 or 8; what
            is detected in each is fused, see `midog.inference.fusion.fuse`.
        merged_with: detectors of further models on the same device, whose detections are fused with
            these. They may be of other kinds and other mpp, with the same classes.

    Attributes:
        members: the networks, this one's first.
        threshold_from: in words, how the threshold was chosen.
        threshold_is_tuned: it was given, or chosen for detections that are merged like these.
        calibration: by which scores are moved, image by image; None: they stay.

    Raises:
        ConfigError: for a setting out of range, and for models of other classes.
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
        orientations: int = 1,
        merged_with: Sequence[Detector] = (),
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
        self.threshold_from, self.threshold_is_tuned = "given", True
        self.calibration: Calibration | None = None
        self.workers, self.info = workers, dict(info or {})
        self.device = pick_device(device)
        self.precision = pick_precision(self.inference.precision, self.device)
        self.model = model.to(self.device)
        own = Member(
            self.model,
            config.model,
            self.inference,
            mpp=self.mpp,
            magnification=config.model.magnification(config.sampling.patch_size),
            device=self.device,
            precision=self.precision,
        )
        self.members: tuple[Member, ...] = (
            own,
            *(member for other in merged_with for member in other.members),
        )
        self.orientations = orientations_of(orientations)
        _require_same_classes([self, *merged_with])

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

    @property
    def views(self) -> int:
        """How often an image is looked at: the number of models times that of orientations."""
        return len(self.members) * len(self.orientations)

    def open(
        self,
        image: Path | str | AnyPixels | SlideImage,
        *,
        mpp: MppLike | None = None,
        looked_at: LookedAt | None = None,
    ) -> OpenedImage:
        """Open an image for `detect`; its tiles are read ahead from now on.

        Args:
            image, mpp: as of calling the detector, and so are the errors.
            looked_at: which tiles are looked at; None: all.
        """
        return open_for(self.members, image, mpp=mpp, workers=self.workers, looked_at=looked_at)

    def detect_resident(self, pixels: Tensor) -> Detections:
        """Detect figures in pixels (H, W, 3) uint8 of the model's mpp that lie on a device."""
        return self.detect(resident(self.members, pixels))

    def detect(self, opened: OpenedImage, progress: OnTiles | None = None) -> Detections:
        """Detect figures in an image from `open`, once."""
        shift_of = shifts_in(opened, self.calibration)
        views = views_of(opened, self.orientations, progress, shift_of)
        if isinstance(opened.image, SlideImage):
            opened.image.report_damage()
        if any(isinstance(tiles, OpenTiles) and tiles.is_dark for tiles, _ in opened.groups):
            logger.warning(
                "%s: most of it is black, as in fluorescence: a model of H&E means nothing there",
                getattr(opened.image, "path", "the image"),
            )
        nms_iou = min(member.settings.nms_iou for member in self.members)
        boxes, scores, labels = fuse(views, opened.mpp, nms_iou, self._floor)
        return Detections(boxes.astype(np.float32), scores, labels)

    def settings(self) -> dict[str, Any]:
        """What decides the detections in an image, as plain JSON values; weights as a digest."""
        settings: dict[str, Any] = {
            "class_names": list(self.class_names),
            "threshold": self.threshold,
        }
        identities = [member.identity() for member in self.members]
        if len(identities) == 1:
            settings |= identities[0]
        else:  # in an order of their own, as that in which they were given does not matter
            identities.sort(key=lambda identity: json.dumps(identity, sort_keys=True))
            settings |= {"members": identities, "floor": self._floor}
        if self.views > 1:
            settings |= {"orientations": len(self.orientations), "merge": FUSION}
        if self.calibration is not None:
            settings["calibration"] = dict(sorted(self.calibration.references.items()))
        return settings

    def save(self, folder: Path | str) -> None:
        """Write model.safetensors and model.json into a folder, both or neither.

        A model that is there is replaced.

        Raises:
            WeightsError: where the folder holds other files or cannot be written, or these are
                several models.
        """
        if len(self.members) > 1:
            raise WeightsError(
                "an ensemble is made of the folders of its models", "use `midog ensemble make`"
            )
        write_model(
            real_path(folder),
            weights_of(self.members[0].network),
            self.config,
            class_names=self.class_names,
            threshold=self.threshold,
            info=self.info,
        )

    @classmethod
    def load(
        cls,
        folder: Path | str | Sequence[Path | str],
        *,
        device: str = "auto",
        threshold: float | None = None,
        tile: int | Literal["auto"] | None = None,
        overlap: int | None = None,
        batch_size: int | Literal["auto"] | None = None,
        precision: str | None = None,
        floor: float | None = None,
        workers: int = 2,
        orientations: int = 1,
        calibrate: bool = False,
    ) -> Self:
        """Load the detector of a model folder, or of the `best` in a run's folder.

        Args:
            folder: the model's or the run's folder, the folder of an ensemble, the folders of
                several models that are to be one, or an ONNX file.
            device, workers, orientations: as of Detector.
            threshold, tile, overlap, batch_size, precision, floor: None takes what each model
                holds. The threshold is then the one that was tuned for these models and
                orientations; where none was, `threshold_from` says what was taken.
            calibrate: move scores by the levels that the model's model.json holds, see
                `midog.inference.calibration`; the threshold is then the one chosen for that.

        Raises:
            WeightsError: for a folder that is missing, damaged, pickled, or whose files do not fit
                each other, and for models that cannot be merged.
        """
        folders = [folder] if isinstance(folder, Path | str) else folder
        orientations_of(orientations)  # before weights are read
        loaded = read_models([Path(path).expanduser() for path in folders], orientations)
        device = "cpu" if device == "auto" and loaded.needs_cpu else device

        merged = list[Detector]()
        for model in reversed(loaded.models):
            detector = cls(
                model.network,
                model.config,
                class_names=model.class_names,
                threshold=loaded.threshold.value if threshold is None else threshold,
                device=device,
                tile=tile,
                overlap=overlap,
                batch_size=batch_size,
                precision=precision,
                floor=floor,
                workers=workers,
                info=loaded.info,
                orientations=orientations,
                merged_with=merged if model is loaded.models[0] else (),
            )
            merged.append(detector)
        chosen = loaded.threshold
        if calibrate:
            stored = read_calibration(loaded.info, detector.members, folders[0])
            detector.calibration, chosen = stored.levels, stored.for_orientations(orientations)
        if threshold is None:
            detector.threshold, detector.threshold_from = chosen.value, chosen.origin
            detector.threshold_is_tuned = chosen.is_tuned
        return detector

    @property
    def _floor(self) -> float:
        return min(member.inference.floor for member in self.members)


def _require_same_classes(detectors: Sequence[Detector]) -> None:
    names = {detector.class_names for detector in detectors}
    if len(names) > 1:
        classes = " and ".join(sorted(", ".join(own) for own in names))
        raise ConfigError(f"models of the classes {classes} cannot be merged", "choose one kind")
