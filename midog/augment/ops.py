"""OPS: every kind of augmentation, in the order in which random numbers are drawn for them."""

from __future__ import annotations

from midog.augment.blur import BLUR
from midog.augment.colour import BRIGHTNESS, STAIN
from midog.augment.colour_jitter import COLOUR_JITTER
from midog.augment.copy_paste import COPY_PASTE
from midog.augment.fda import FDA
from midog.augment.flip import FLIP
from midog.augment.focus import FOCUS
from midog.augment.jpeg import JPEG
from midog.augment.light import GAMMA, WHITE_BALANCE
from midog.augment.magnification import MPP
from midog.augment.noise import NOISE, SHOT_NOISE
from midog.augment.op import Op
from midog.augment.pixel_dropout import PIXEL_DROPOUT
from midog.augment.randstainna import RANDSTAINNA
from midog.augment.stain_shift import HED, STAIN_BASIS
from midog.augment.warp import WARP

OPS: dict[str, Op] = {
    "flip": FLIP,
    "stain": STAIN,
    "brightness": BRIGHTNESS,
    "blur": BLUR,
    "hed": HED,
    "stain_basis": STAIN_BASIS,
    "gamma": GAMMA,
    "white_balance": WHITE_BALANCE,
    "fda": FDA,
    "randstainna": RANDSTAINNA,
    "noise": NOISE,
    "shot_noise": SHOT_NOISE,
    "jpeg": JPEG,
    "mpp": MPP,
    "copy_paste": COPY_PASTE,
    "focus": FOCUS,
    "colour_jitter": COLOUR_JITTER,
    "warp": WARP,
    "pixel_dropout": PIXEL_DROPOUT,
}
"""By the name of its setting `augment.NAME`. A new op goes last: the others keep their numbers."""
