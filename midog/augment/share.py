"""ShareSettings: an op that changes a share of the patches, and has further settings."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from midog.config.settings import Settings


class ShareSettings(Settings):
    """Settings of an op; false where it changes no patch. A number is short for its share."""

    share: float = Field(0.0, ge=0, le=1, description="share of patches")

    def __bool__(self) -> bool:
        return self.share > 0

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """Take a number, or text that may be one, as the share."""
        number = isinstance(value, int | float | str) and not isinstance(value, bool)
        return {"share": value} if number else value
