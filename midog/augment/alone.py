"""One op of augmentation at a time: settings under which it is seen and timed on every patch."""

from __future__ import annotations

import json
from typing import Any

from midog.augment.ops import OPS
from midog.augment.share import ShareSettings
from midog.config.schema import AugmentSettings, augment_settings
from midog.config.settings import Settings


def none() -> AugmentSettings:
    """Return settings with every op off."""
    return augment_settings()(**{name: _off(name) for name in OPS})


def alone(name: str, augment: AugmentSettings) -> AugmentSettings:
    """Return settings with one op on: as it is set, or at a usual setting where it is off.

    An op that changes a share of the patches changes all of them.
    """
    op, value = OPS[name], getattr(augment, name)
    if not value:
        value = op.default if op.example is None else op.example
    if op.is_share:
        value = 1.0
    elif isinstance(value, ShareSettings):
        value = value.model_copy(update={"share": 1.0})
    return augment_settings()(**{**{other: _off(other) for other in OPS}, name: value})


def setting_words(value: Any) -> str:
    """Return a setting of an op in words: "0.2", "share 1.0, beta 0.01"."""
    if isinstance(value, Settings):
        return ", ".join(f"{key} {part}" for key, part in value.model_dump().items())
    return json.dumps(value)


def _off(name: str) -> Any:
    setting = OPS[name].setting
    if setting is bool:
        return False
    return setting() if isinstance(setting, type) and issubclass(setting, Settings) else 0
