"""The symmetries of the pixel grid: the trivial group, quarter turns (p4), and mirrors too (p4m).

An element h moves an image x by (L_h x)(y) = x(h^-1 y): first the mirror, then the turn. All that
layers need of a group are tables of indices, made by moving small grids (Cohen and Welling 2016,
arXiv:1602.07576).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """A group of turns and mirrors of the square.

    Args:
        name: As papers call it.
        elements: (mirrored, quarter turns) of each element; the first is the identity. A mirror
            exchanges left and right, turns are counter-clockwise.
    """

    name: str
    elements: tuple[tuple[bool, int], ...]

    def __len__(self) -> int:
        return len(self.elements)

    def move(self, images: Tensor, element: int) -> Tensor:
        """Move images (…, H, W) by an element; a quarter turn exchanges H and W."""
        mirrored, turns = self.elements[element]
        return torch.rot90(images.flip(-1) if mirrored else images, turns, (-2, -1))

    @cached_property
    def products(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the products: the row g holds those of g h, for every h."""
        grid = torch.arange(4, device="cpu").view(2, 2)
        moved = [self.move(grid, number).flatten().tolist() for number in range(len(self))]
        return tuple(
            tuple(
                moved.index(self.move(self.move(grid, second), first).flatten().tolist())
                for second in range(len(self))
            )
            for first in range(len(self))
        )

    @cached_property
    def inverses(self) -> tuple[int, ...]:
        """Number of every element's inverse."""
        return tuple(row.index(0) for row in self.products)

    def slots(self, element: int) -> list[int]:
        """Where the slots of a map on the group come from when its image is moved.

        Slot h of the moved map is slot u^-1 h of the map, moved as well, u being the element.
        """
        return list(self.products[self.inverses[element]])

    def move_maps(self, maps: Tensor, element: int) -> Tensor:
        """Move maps on the group (B, C * G, H, W): the grid is moved and the slots permuted."""
        moved = self.move(maps, element)
        slotted = moved.view(len(maps), -1, len(self), *moved.shape[2:])
        return slotted[:, :, self.slots(element)].flatten(1, 2)

    def filter_table(self, kernel: int, *, lifts: bool) -> Tensor:
        """Index the weights of the filters of all elements.

        Args:
            kernel: Side k of the filters.
            lifts: Whether filters are on the grid alone, and not on the group.

        Returns:
            (G, E * k * k) int64, E being 1 or G. Row h, reshaped to (E, k, k), holds at slot g the
            places of slot h^-1 g of the stored filter, moved by h.
        """
        grid = torch.arange(kernel * kernel, device="cpu").view(kernel, kernel)
        rows = []
        for element in range(len(self)):
            moved = self.move(grid, element)
            slots = [0] if lifts else self.slots(element)
            rows.append(torch.stack([slot * kernel**2 + moved for slot in slots]).flatten())
        return torch.stack(rows)


GROUPS: dict[str, Group] = {
    "z2": Group("z2", ((False, 0),)),
    "p4": Group("p4", tuple((False, turns) for turns in range(4))),
    "p4m": Group(
        "p4m", tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4))
    ),
}
"""The groups by name; z2 is that of plain convolutions, which shift alone."""
