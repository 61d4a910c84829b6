"""Constants of ops on their device: to copy one there in each batch would make the host wait."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


@lru_cache(maxsize=64)
def constant(make: Callable[..., NDArray[Any]], device: torch.device, *arguments: Any) -> Tensor:
    """Return what `make` makes of the arguments, on a device; made and copied once for each.

    Args:
        make: A function of a module, of hashable arguments.
        device: Where it is used.
        arguments: Of `make`.
    """
    return torch.from_numpy(make(*arguments)).to(device)
