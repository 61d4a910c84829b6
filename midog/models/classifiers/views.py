"""Views: what a network sees of one place, squares that share its centre, each of its own um/px."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from midog.errors import ConfigError

Images = Tensor | Sequence[Tensor]
"""One picture of places, (B, 3, S, S) float32 in [0, 1], or one for each view of them, in order."""


@dataclass(frozen=True)
class View:
    """A square about the centre of a place.

    Args:
        side: px of the view.
        downsample: How many px of the finest resolution (the model's um/px) one px of the view
            stands for along each side, 1 or more: a view of 80 px at 2 shows 160 px.
    """

    side: int
    downsample: int = 1

    @property
    def field(self) -> int:
        """Side of what it shows, px of the finest resolution."""
        return self.side * self.downsample


def widest_field(views: Sequence[View]) -> int:
    """Return the side of a picture that shows all that the views show, px of the finest one."""
    return max(view.field for view in views)


def views_in(images: Images, views: Sequence[View]) -> tuple[Tensor, ...]:
    """Return the views of places, as they are given or cut from one picture.

    Of a picture, a view is the middle; where it is coarser, each of its px is the mean of those
    that it stands for. So all views have one centre, to the px.

    Args:
        images: (B, 3, S, S) with S the widest field of the views, or (B, 3, side, side) for each.
        views: What a network wants to see.

    Returns:
        (B, 3, side, side) for each view, in their order.

    Raises:
        ConfigError: The pictures are not of these views, or a view has no middle of whole px.
    """
    if not isinstance(images, Tensor):
        sides = [tuple(given.shape[-2:]) for given in images]
        if sides != [(view.side, view.side) for view in views]:
            raise ConfigError(
                f"views of {_listed(sides)} px are given to a network that sees"
                f" {_listed([(view.side, view.side) for view in views])} px",
                "read the views that the network names, in its order",
            )
        return tuple(images)
    side = widest_field(views)
    if tuple(images.shape[-2:]) != (side, side):
        height, width = images.shape[-2:]
        raise ConfigError(
            f"a patch of {height}x{width} px does not show the {side} px that the network sees",
            f"give patches of {side} px",
        )
    return tuple(_cut(images, view, side) for view in views)


def _cut(images: Tensor, view: View, side: int) -> Tensor:
    """One view of pictures of `side` px."""
    margin, odd = divmod(side - view.field, 2)
    if odd:
        raise ConfigError(
            f"{view.field} px have no place in the middle of {side} px: half a px would be left",
            "choose sides that are both even or both odd",
        )
    inner = images[..., margin : side - margin, margin : side - margin]
    return inner if view.downsample == 1 else F.avg_pool2d(inner, view.downsample)


def _listed(sides: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, side)) for side in sides)
