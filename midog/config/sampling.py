"""Settings of sampling: which patches a detector is trained on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from midog.config.settings import Settings

Imposters = Literal["leave_out", "ignore", "hard_negative", "second_class"]
Balance = Literal["roi", "scanner", "roi_type", "figure", "sqrt_figure"]


class SamplingSettings(Settings):
    """Which patches a detector is trained on."""

    patch_size: int = Field(
        512, ge=64, le=4096, multiple_of=32, description="side of a training patch, px"
    )
    patches_per_roi: int = Field(
        10, ge=1, le=100_000, description="patches drawn from each ROI and epoch"
    )
    p_mitotic: float = Field(
        0.5, ge=0, le=1, description="share of draws that are placed on a mitotic figure"
    )
    p_imposter: float = Field(
        0.25, ge=0, le=1, description="share of draws that are placed on an imposter"
    )
    imposters: Imposters = Field(
        "hard_negative",
        description="leave_out: never drawn, background where they are seen; ignore: neither drawn"
        " nor background; hard_negative: drawn, background; second_class: learned as a class",
    )
    jitter: float | None = Field(
        None,
        ge=0,
        le=4096,
        description="largest shift of a drawn figure from the centre, px; null: any",
    )
    min_visible: float = Field(
        0.5, gt=0, le=1, description="visible share from which a cut figure is a target"
    )
    balance: Balance = Field(
        "roi",
        description="roi, scanner, roi_type: equal draws of each; figure: draws on figures take"
        " every figure of all ROIs equally often; sqrt_figure: between it and roi",
    )
    p_figure_free: float | None = Field(
        None,
        ge=0,
        le=0.95,
        description="share of draws in ROIs without a mitotic figure; null: as balance has it",
    )
    mine_every: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="epochs after which false alarms in the training ROIs are mined; 0: never",
    )
    p_mined: float = Field(
        0.15,
        ge=0,
        le=1,
        description="share of draws that are placed on a mined false alarm, with mine_every",
    )

    @model_validator(mode="after")
    def _shares(self) -> SamplingSettings:
        if self.p_mitotic + self.p_imposter > 1:
            raise ValueError(
                f"p_mitotic + p_imposter = {self.p_mitotic + self.p_imposter:g} is over 1"
            )
        total = self.p_mitotic + self.p_imposter + self.p_mined
        if self.mine_every and total > 1 + 1e-9:
            raise ValueError(f"p_mitotic + p_imposter + p_mined = {total:g} is over 1")
        return self
