"""The settings of a run: sections, their fields with ranges, and what each means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

Imposters = Literal["ignore", "hard_negative", "second_class"]


def _auto_or_number(low: int, high: int | None = None, step: int = 1) -> PlainValidator:
    """Takes 'auto' or an int of that range and no other; a plain union would tell of each kind
    apart what is wrong."""
    wish = f"write auto or a number from {low} {'up' if high is None else f'to {high}'}"
    wish += f", a multiple of {step}" if step > 1 else ""

    def check(value: Any) -> Any:
        number = type(value) is int and low <= value <= (high or value) and value % step == 0
        if not number and value != "auto":
            raise ValueError(wish)
        return value

    return PlainValidator(check)


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


class DataConfig(_Strict):
    dir: Path = Field(
        Path("data"), description="folder with images/, one annotation file and split.csv"
    )
    annotations: Path | None = Field(
        None, description="annotation file; none: the only one in `dir`"
    )
    split: str | None = Field(
        None, description="split CSV or a shipped name (midog21); none: `dir`/split.csv"
    )
    bbox: Literal["auto", "xyxy", "xywh"] = Field(
        "auto", description="how the annotation file writes boxes"
    )
    mpp: float = Field(
        0.25, gt=0, description="um/px that the model sees; ROIs over 10 % off are resampled"
    )
    cache: bool = Field(True, description="keep decoded ROIs in the cache folder")


class ModelConfig(_Strict):
    detector: Literal["retinanet"] = "retinanet"
    backbone: Literal["resnet18", "resnet34", "resnet50"] = "resnet50"
    weights: str = Field("coco", description="coco, imagenet, none, or a file (.safetensors, .pth)")
    unfrozen_layers: int = Field(
        5, ge=0, le=5, description="backbone stages that learn, counted from the top"
    )
    resize: int | None = Field(
        None, ge=64, description="show a patch of sampling.patch_size px at this many px"
    )
    anchor_sizes: tuple[tuple[float, ...], ...] = Field(
        ((40, 50, 63), (56, 71, 90), (80, 101, 127), (160, 202, 254), (320, 403, 508)),
        description=(
            "anchor sides in px, a list per level from P3 (stride 8) up; as many levels as lists (1"
            " to 5)"
        ),
    )
    anchor_ratios: tuple[float, ...] = Field((1.0,), description="height / width of the anchors")
    pyramid_channels: int = Field(
        256,
        ge=32,
        le=1024,
        multiple_of=32,
        description="channels of the feature pyramid and of the head",
    )
    head_convs: int = Field(
        4, ge=1, le=8, description="convolutions in each of the head's two branches"
    )
    nms_iou: float = Field(
        0.2, ge=0, le=1, description="boxes that overlap more than this are one figure"
    )
    max_detections: int = Field(300, ge=1, description="most detections kept per tile")

    @model_validator(mode="after")
    def _anchors(self) -> ModelConfig:
        sizes = self.anchor_sizes
        if not 1 <= len(sizes) <= 5 or len({len(level) for level in sizes}) != 1 or not sizes[0]:
            raise ValueError("anchor_sizes needs 1 to 5 lists (P3 to P7) of equal, non-zero length")
        if not self.anchor_ratios or min(self.anchor_ratios) <= 0 or min(map(min, sizes)) <= 0:
            raise ValueError("anchor_sizes and anchor_ratios need positive numbers")
        return self


class SamplingConfig(_Strict):
    patch_size: int = Field(
        512, ge=64, le=4096, multiple_of=32, description="side of a training patch, px"
    )
    patches_per_roi: int = Field(10, ge=1, description="patches drawn from each ROI and epoch")
    p_mitotic: float = Field(
        0.5, ge=0, le=1, description="share of draws that seek a mitotic figure"
    )
    p_imposter: float = Field(0.25, ge=0, le=1, description="share of draws that seek an imposter")
    imposters: Imposters = "hard_negative"
    jitter: float | None = Field(
        None, ge=0, description="largest shift of a sought figure, px; none: all it may be"
    )
    min_visible: float = Field(
        0.5, gt=0, le=1, description="share of a cut figure from which it counts"
    )
    balance: Literal["roi", "scanner"] = Field(
        "roi", description="equal draws per ROI, or per scanner"
    )

    @model_validator(mode="after")
    def _shares(self) -> SamplingConfig:
        if self.p_mitotic + self.p_imposter > 1:
            raise ValueError(
                f"p_mitotic + p_imposter = {self.p_mitotic + self.p_imposter:g} is over 1"
            )
        return self


class AugmentConfig(_Strict):
    flip: bool = Field(True, description="flips and quarter turns")
    stain: float = Field(
        0.15, ge=0, le=1, description="jitter of the haematoxylin, eosin and residual densities"
    )
    brightness: float = Field(0.1, ge=0, le=1, description="jitter of brightness and white balance")
    blur: float = Field(
        0.2, ge=0, le=1, description="share of patches that are blurred or sharpened"
    )


class TrainConfig(_Strict):
    epochs: int = Field(200, ge=1)
    batch_size: int = Field(16, ge=1, description="patches per device and step")
    accumulate: int = Field(1, ge=1, description="steps whose gradients are summed for one update")
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: float = Field(1e-4, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: int = Field(
        200, ge=0, description="updates over which the learning rate rises to lr"
    )
    clip_norm: float = Field(1.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="averaged weights that are validated and kept; 0: none"
    )
    validate_every: int = Field(
        10, ge=1, description="epochs between validations; the last epoch always is one"
    )
    patience: int = Field(
        0, ge=0, description="validations without a better F1 before it stops; 0: never"
    )
    seed: int = Field(0, ge=0, lt=2**63)
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    devices: int = Field(1, ge=1, description="devices (processes) on this machine")
    num_nodes: int = Field(1, ge=1, description="machines, as the cluster launches them")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "auto",
        description="auto: bf16-mixed where the device computes it in hardware, else 32-true",
    )
    compile: bool = Field(
        False, description="compile the network: slower to start, then quicker steps on a GPU"
    )
    workers: int = Field(
        2, ge=0, description="threads that cut patches; any number gives the same patches"
    )
    residency: Literal["auto", "device", "memory", "disk"] = Field(
        "auto", description="where decoded ROIs live"
    )
    augment_on: Literal["auto", "device", "cpu"] = Field(
        "auto",
        description=(
            "where patches are augmented; auto: by the threads that cut them where the device is"
            " a CPU"
        ),
    )
    pictures: int = Field(4, ge=0, description="validation patches drawn into TensorBoard")


class InferenceConfig(_Strict):
    tile: Annotated[Literal["auto"] | int, _auto_or_number(64, 8192, step=32)] = Field(
        "auto",
        description=(
            "side of a tile, px; auto: as wastes least on the image's size, up to what memory bears"
        ),
    )
    overlap: int = Field(
        64, ge=8, le=512, description="figures up to this side are whole in some tile, px"
    )
    batch_size: Annotated[Literal["auto"] | int, _auto_or_number(1)] = Field(
        "auto", description="tiles per step; auto: as many as memory bears"
    )
    precision: Literal["auto", "32-true", "bf16"] = Field(
        "auto", description="auto: bf16 where the device computes it in hardware, else 32-true"
    )
    floor: float = Field(0.05, ge=0, lt=1, description="lowest score that is written")

    @model_validator(mode="after")
    def _overlap(self) -> InferenceConfig:
        if self.tile != "auto" and self.overlap > self.tile // 2:
            raise ValueError(f"overlap {self.overlap} is over half of tile {self.tile}")
        return self


class RunConfig(_Strict):
    """Everything that decides a run. `RunConfig()` equals configs/default.yaml; see
    `load_config`."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    sampling: SamplingConfig = SamplingConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    inference: InferenceConfig = InferenceConfig()

    @property
    def magnification(self) -> float:
        """How many times as large as it is the network sees an image, whatever its size: tiles as
        patches."""
        return self.model.resize / self.sampling.patch_size if self.model.resize else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON and YAML types, every key present."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The YAML text that `load_config` reads back to an equal config."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, default_flow_style=None, width=120)
