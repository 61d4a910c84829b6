"""Settings of earlier runs and models, where a value meant something else than it means now."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

logger = logging.getLogger(__name__)


def as_now_written(tree: Any, source: str) -> Any:
    """Return the settings of a run as they are written now; a line says what is read differently.

    `sampling.imposters: ignore` meant what `leave_out` means now. A run states all its settings:
    one that states no `train.best` is older than that. A file that states some of them only is a
    user's own, and holds as it is.

    Args:
        tree: Sections by name, as they were read; returned as it is where nothing differs.
        source: Where they come from.
    """
    if not isinstance(tree, Mapping) or not {"data", "model", "machine", "inference"} <= set(tree):
        return tree
    sampling, train = tree.get("sampling"), tree.get("train")
    if not isinstance(sampling, Mapping) or not isinstance(train, Mapping):
        return tree
    if "best" in train or "max_skipped" not in train:
        return tree
    if sampling.get("imposters") == "ignore":
        _say(source)
        sampling = {**sampling, "imposters": "leave_out"}
    # marked as read, so that an override that follows has its meaning of now
    return {**tree, "sampling": sampling, "train": {**train, "best": "score"}}


@cache
def _say(source: str) -> None:
    """Log it once for each source."""
    logger.info(
        "%s is of an earlier version: its sampling.imposters=ignore is what leave_out is now",
        source,
    )
