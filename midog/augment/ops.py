"""OPS: every kind of augmentation, in the order in which random numbers are drawn for them."""

from __future__ import annotations

from midog.augment.blur import BLUR
from midog.augment.colour import BRIGHTNESS, STAIN
from midog.augment.flip import FLIP
from midog.augment.op import Op

OPS: dict[str, Op] = {
    "flip": FLIP,
    "stain": STAIN,
    "brightness": BRIGHTNESS,
    "blur": BLUR,
}
"""By the name of its setting `augment.NAME`. A new op goes last: the others keep their numbers."""
