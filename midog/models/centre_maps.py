"""Maps of figures' centres: what a map should be, its losses, and the peaks that it has."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from midog.models.losses import has_area, is_real
from midog.models.protocol import BoxTargets

MapLoss = Literal["focal", "disc_focal", "tversky"]
"""What the map is taught: Gaussians or discs about the centres, and by which loss."""

SIGMA = 0.12
"""Of a Gaussian, as a share of its box's side: 6 px for a figure of 50 px."""

RADIUS = 0.2
"""Of a disc, as a share of its box's side: 10 px for a figure of 50 px."""

_FOCUS, _SPARED = 2.0, 4.0  # CenterNet's alpha and beta
_MISSED, _FALSE, _TVERSKY_FOCUS = 0.7, 0.3, 0.75  # alpha, beta and 1 / gamma of the focal Tversky


class CentreTargets(NamedTuple):
    """What a map of B images and K classes should be.

    wanted: (B, K, h, w) float32 in [0, 1]; 1 where a figure is.
    taught: (B, 1, h, w) bool: the cells that have a part in the loss.
    figures: () float32, the figures of the batch, at least 1.
    """

    wanted: Tensor
    taught: Tensor
    figures: Tensor


def cell_centres(height: int, width: int, stride: int, device: torch.device) -> tuple[Tensor, ...]:
    """The x (w,) and y (h,) of the middles of a map's cells, px as the layers see them."""
    x, y = (
        stride * (torch.arange(count, device=device, dtype=torch.float32) + 0.5)
        for count in (width, height)
    )
    return x, y


def centre_targets(
    shape: tuple[int, int, int, int],
    stride: int,
    targets: BoxTargets,
    shown: tuple[int, int],
    kind: MapLoss,
) -> CentreTargets:
    """Draw what the map should be, without waiting for a device.

    Args:
        shape: (B, K, h, w) of the map.
        stride: px of a cell.
        targets: of the B images, px as the layers see them.
        shown: (height, width) px of the images before padding; what lies beyond is not taught.
        kind: "focal": a Gaussian of SIGMA sides about each centre and 1 in the centre's own cell;
            else a disc of RADIUS sides, of one cell at least.

    Cells in an ignored box are taught only where a figure is.
    """
    boxes, labels, ignore = targets["boxes"], targets["labels"], targets["ignore"]
    x, y = cell_centres(*shape[2:], stride, boxes.device)
    real = is_real(boxes, labels)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    side = (boxes[..., 2:] - boxes[..., :2]).amax(dim=-1).clamp(min=1)[..., None, None]
    # a centre on the very edge belongs to the last cell
    last = torch.tensor([stride * shape[3] - 0.5, stride * shape[2] - 0.5], device=boxes.device)
    near = torch.minimum(middle.clamp(min=0), last)
    own_x = ((x - near[..., 0, None]).abs() * 2 <= stride)[..., None, :]
    own_y = ((y - near[..., 1, None]).abs() * 2 <= stride)[..., :, None]
    square = (x - middle[..., 0, None]).square()[..., None, :] + (
        y - middle[..., 1, None]
    ).square()[..., :, None]  # (B, N, h, w)
    if kind == "focal":
        drawn = torch.exp(-square / (2 * (SIGMA * side).square()))
    else:
        drawn = (square <= (RADIUS * side).square()).float()
    drawn = torch.where(own_x & own_y, 1.0, drawn)
    wanted = torch.stack(
        [
            drawn.masked_fill(~(real & (labels == label))[..., None, None], 0).amax(dim=1)
            for label in range(1, shape[1] + 1)
        ],
        dim=1,
    )
    spared = ((x >= ignore[..., 0, None]) & (x <= ignore[..., 2, None]))[..., None, :] & (
        (y >= ignore[..., 1, None]) & (y <= ignore[..., 3, None])
    )[..., :, None]
    spared = (spared & has_area(ignore)[..., None, None]).any(dim=1, keepdim=True)
    spared &= wanted.amax(dim=1, keepdim=True) < 0.5
    inside = (x < shown[1])[None, :] & (y < shown[0])[:, None]
    return CentreTargets(wanted, inside & ~spared, real.sum().float().clamp(min=1))


def map_loss(logits: Tensor, targets: CentreTargets, kind: MapLoss) -> Tensor:
    """Compare a map with what it should be, over the whole batch at once.

    Args:
        logits: (B, K, h, w) float32.
        targets: of the same shape.
        kind: "focal": CenterNet's penalty-reduced focal loss (Zhou et al. 2019, arXiv:1904.07850,
            equation 1) by the number of figures; "disc_focal": the focal loss of Lin et al. (2017,
            arXiv:1708.02002; gamma 2, no alpha) of discs by the number of cells in them;
            "tversky": the focal Tversky loss (Abraham and Khan 2019, arXiv:1810.07842; alpha 0.7 of
            what is missed, beta 0.3, power 0.75) of discs.

    Returns:
        () float32.
    """
    wanted, part = targets.wanted, targets.taught.to(logits.dtype)
    if kind == "tversky":
        score = logits.sigmoid()
        hit = (part * score * wanted).sum()
        missed = (part * (1 - score) * wanted).sum()
        false = (part * score * (1 - wanted)).sum()
        index = (hit + 1) / (hit + _MISSED * missed + _FALSE * false + 1)
        return (1 - index).clamp(min=1e-7).pow(_TVERSKY_FOCUS)
    score = logits.sigmoid()
    figure = wanted == 1
    missed = (1 - score).pow(_FOCUS) * -F.logsigmoid(logits)
    false = (1 - wanted).pow(_SPARED) * score.pow(_FOCUS) * -F.logsigmoid(-logits)
    total = (part * torch.where(figure, missed, false)).sum()
    if kind == "focal":
        return total / targets.figures
    return total / (figure & targets.taught).sum().clamp(min=1)


class Peaks(NamedTuple):
    """The highest cells of maps, best first: centres (B, C, 2) px, scores and labels (B, C)."""

    centres: Tensor
    scores: Tensor
    labels: Tensor


def find_peaks(logits: Tensor, stride: int, most: int) -> Peaks:
    """Take the cells that no neighbour exceeds; a GPU is not waited for.

    Args:
        logits: (B, K, h, w) float32.
        stride: px of a cell.
        most: largest number C of peaks of an image.

    Returns:
        Centres are means of the 3 x 3 cells about the peak, weighted by their scores; along an axis
        on which the map ends there, the cell's own middle. Of score 0 are those that are none.
    """
    score = logits.sigmoid()
    height, width = score.shape[2:]
    beaten = F.max_pool2d(score, 3, stride=1, padding=1) > score
    best, index = score.masked_fill(beaten, 0).flatten(1).topk(min(most, score[0].numel()), dim=1)
    sums = _neighbourhoods(score)
    weight, right, down = (column.flatten(1).gather(1, index) for column in sums)
    place = index % (height * width)
    cell = torch.stack([place % width, place.div(width, rounding_mode="floor")], dim=-1)
    shift = torch.stack([right, down], dim=-1) / weight.clamp(min=1e-12)[..., None]
    label = index.div(height * width, rounding_mode="floor") + 1
    return Peaks(stride * (cell + 0.5 + shift), best, label)


def _neighbourhoods(score: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each 3 x 3 cells of (B, K, h, w): the sum, right less left, and below less above.

    The differences are 0 at the map's edges, where half of their cells are missing.
    """
    padded = F.pad(score, (1, 1, 1, 1))
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    columns = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
    right = rows[..., 3:-1] - rows[..., 1:-3]
    down = columns[..., 3:-1, :] - columns[..., 1:-3, :]
    right, down = F.pad(right, (1, 1)), F.pad(down, (0, 0, 1, 1))
    return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:], right, down
