"""OPS: every kind of augmentation, in the order in which random numbers are drawn for them."""

from __future__ import annotations

from midog.augment.blur import BLUR
from midog.augment.colour import BRIGHTNESS, STAIN
from midog.augment.flip import FLIP
from midog.augment.jpeg import JPEG
from midog.augment.light import GAMMA, WHITE_BALANCE
from midog.augment.noise import NOISE, SHOT_NOISE
from midog.augment.op import Op
from midog.augment.stain_shift import HED, STAIN_BASIS

OPS: dict[str, Op] = {
    "flip": FLIP,
    "stain": STAIN,
    "brightness": BRIGHTNESS,
    "blur": BLUR,
    "hed": HED,
    "stain_basis": STAIN_BASIS,
    "gamma": GAMMA,
    "white_balance": WHITE_BALANCE,
    "noise": NOISE,
    "shot_noise": SHOT_NOISE,
    "jpeg": JPEG,
}
"""By the name of its setting `augment.NAME`. A new op goes last: the others keep their numbers."""
