"""Settings of training: how weights are fitted, and where and how that is computed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from midog.config.settings import OnResume, Settings

_FREE, _ASKED = OnResume.FREELY, OnResume.ASKED

_MOST = 1_000_000
"""Of what is counted over a whole run: every number is bounded, so that a slip is an error."""


class TrainSettings(Settings):
    """How the weights are fitted, whatever is learned."""

    epochs: Annotated[int, _ASKED] = Field(
        200, ge=1, le=_MOST, description="passes of patches_per_roi patches from each training ROI"
    )
    batch_size: Annotated[int, _ASKED] = Field(
        16, ge=1, le=4096, description="patches per device and step"
    )
    accumulate: Annotated[int, _ASKED] = Field(
        1,
        ge=1,
        le=10_000,
        description="steps whose gradients are summed for one update of the weights",
    )
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = Field(
        "adamw", description="update rule"
    )
    lr: Annotated[float, _ASKED] = Field(1e-4, gt=0, description="highest learning rate")
    weight_decay: float = Field(
        1e-4, ge=0, le=10, description="decay of all weights but biases and norms"
    )
    schedule: Literal["cosine", "constant", "step", "cyclic"] = Field(
        "cosine",
        description="learning rate after the warm-up; cosine: half of one, to 0; step: lower by"
        " schedule_factor every schedule_epochs; cyclic: in triangles of schedule_epochs between lr"
        " and schedule_factor of it",
    )
    schedule_epochs: float = Field(
        10, gt=0, le=_MOST, description="epochs of a step, or of a cycle from lr down and up again"
    )
    schedule_factor: float = Field(
        0.1, gt=0, le=1, description="what a step multiplies lr by; lowest share of lr in a cycle"
    )
    warmup_steps: int = Field(
        200, ge=0, le=_MOST, description="updates over which the learning rate rises to lr"
    )
    clip_norm: float = Field(
        1.0, ge=0, le=_MOST, description="largest norm of the gradient; 0: no clipping"
    )
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="decay of the averaged weights that are kept; 0: none"
    )
    validate_every: int = Field(
        10, ge=1, le=_MOST, description="epochs between validations; the last epoch is always one"
    )
    patience: Annotated[int, _ASKED] = Field(
        0,
        ge=0,
        le=_MOST,
        description="validations without a better score before training stops; 0: never",
    )
    best: Literal["score", "smoothed", "last"] = Field(
        "score",
        description="validation whose weights are kept as the best; score: of the highest score;"
        " smoothed: of the highest running mean of the scores; last: the last, none is chosen",
    )
    best_smoothing: float = Field(
        0.7, ge=0, lt=1, description="share of that running mean that a validation leaves as it is"
    )
    average_last: int = Field(
        1,
        ge=1,
        le=_MOST,
        description="last validations of the run whose weights are averaged, and then validated"
        " and kept; 1: none",
    )
    sync_batch_norm: bool = Field(
        False,
        description="BatchNorm that learns takes its statistics over all processes",
    )
    deterministic: bool = Field(
        False,
        description="only algorithms that repeat to the bit, on a GPU too: slower; an operation"
        " without one is an error",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the first weights and of every draw")
    save_minutes: Annotated[float, _FREE] = Field(
        5.0,
        ge=0,
        le=_MOST,
        description="minutes between saves, beside those at validations and stops; 0: every epoch",
    )
    max_skipped: Annotated[int, _FREE] = Field(
        10,
        ge=0,
        le=_MOST,
        description="updates in a row that may be skipped as their gradient is not finite",
    )
    pictures: Annotated[int, _FREE] = Field(
        4, ge=0, le=1000, description="validation patches drawn into TensorBoard"
    )

    @model_validator(mode="after")
    def _patience(self) -> TrainSettings:
        if self.patience and self.best == "last":
            raise ValueError("patience waits for a better score, which best=last never looks for")
        return self


class MachineSettings(Settings):
    """Where and how a run is computed: not what it learns."""

    device: Annotated[str, _FREE] = Field("auto", description="auto, cpu, cuda, cuda:1 or mps")
    devices: int = Field(1, ge=1, le=128, description="devices (processes) on this machine")
    num_nodes: int = Field(1, ge=1, le=1024, description="machines, as the cluster launches them")
    precision: Annotated[Literal["auto", "32-true", "bf16-mixed", "16-mixed"], _ASKED] = Field(
        "auto",
        description="auto: bf16-mixed where the device has it in hardware, 16-mixed on a V100 or"
        " T4, else 32-true",
    )
    compile: bool = Field(
        False, description="compile the network: a slower start, then faster steps on a GPU"
    )
    workers: Annotated[int, _FREE] = Field(
        2, ge=0, le=256, description="threads that cut patches; any number gives the same patches"
    )
    residency: Annotated[Literal["auto", "device", "memory", "disk"], _FREE] = Field(
        "auto", description="where decoded ROIs are kept"
    )
    augment_on: Literal["auto", "device", "cpu"] = Field(
        "auto",
        description="where patches are augmented; auto: on the cpu where that is the device",
    )
