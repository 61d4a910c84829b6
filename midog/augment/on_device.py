"""Augmentation of a whole batch on its device: pasted figures, flips and quarter turns, maps of
colours, blur, sharpening, and the ops that follow."""

from __future__ import annotations

import torch
from torch import Tensor

from midog.augment.draw import Augmentation
from midog.augment.gaussian import gaussian_on_device
from midog.augment.pasted import paste_on_device
from midog.devices import copies_alone


def to_float(images: Tensor) -> Tensor:
    """Convert uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [0, 1], in channels-last memory."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def augment(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Augment patches where they are.

    Args:
        images: (B, S, S, 3) uint8; they stay as they are.
        augmentation: Of these patches.

    Returns:
        (B, 3, S, S) float32 in [0, 1], channels-last.
    """
    alone = copies_alone(images.device)
    flips, mixing, gains, blurred, amounts, steps, _, pastes = augmentation.moved(
        lambda values: values.to(images.device, non_blocking=alone)
    )
    if pastes is not None:
        images = paste_on_device(images, pastes)
    light = (images if flips is None else turn_images(images, flips)).to(torch.float32).div_(255.0)
    if mixing is not None and gains is not None:
        light = _mix(light, mixing, gains)
    light = light.permute(0, 3, 1, 2)
    if len(blurred):
        part = light[blurred]
        mixed = part + amounts[:, None, None, None] * (gaussian_on_device(part) - part)
        light.index_copy_(0, blurred, mixed.clamp_(0, 1))
    for op, parameters in steps:
        assert op.on_device is not None
        light = op.on_device(light, parameters)
    return light.contiguous(memory_format=torch.channels_last)


def turn_images(images: Tensor, flips: Tensor) -> Tensor:
    """Turn patches on their device.

    Args:
        images: (B, S, S, 3), any dtype.
        flips: (B, 3) bool, as of `Augmentation`, on the same device.
    """
    for axes, off in zip(
        ((1, 2), (1,), (2,)), (~flips)[:, :, None, None, None].unbind(1), strict=True
    ):
        moved = images.transpose(*axes) if len(axes) == 2 else images.flip(axes)
        images = torch.where(off, images, moved)  # laid out in memory as the first of the two is
    return images


def _mix(light: Tensor, mixing: Tensor, gains: Tensor) -> Tensor:
    """Map the colours of (B, S, S, 3) float32 in [0, 1], which is spoiled."""
    logs = light.clamp_(min=1 / 255).log_()
    light = logs[..., :1] * mixing[:, 0, None, None]
    # three products, as a matrix product may be computed with fewer digits
    for channel in (1, 2):
        light.addcmul_(logs[..., channel, None], mixing[:, channel, None, None])
    return light.exp_().mul_(gains[:, None, None]).clamp_(0, 1)
