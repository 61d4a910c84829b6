"""The device and precision that a user names, checked before anything is built on them."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from midog.errors import DeviceError


def pick_device(name: str = "auto") -> torch.device:
    """'auto' (CUDA, else Apple's MPS, else the CPU), 'cpu', 'cuda', 'cuda:1' or 'mps'; DeviceError
    where it is not."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(
            f"unknown device {name!r}", "use auto, cpu, cuda, cuda:N or mps"
        ) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device {name!r} does not exist: {torch.cuda.device_count()} CUDA devices",
            settings={"device": "cpu"},
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(f"device {name!r} does not exist", settings={"device": "cpu"})
    if device.type not in ("cpu", "cuda", "mps"):
        raise DeviceError(f"device {name!r} is not supported", "use auto, cpu, cuda, cuda:N or mps")
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes bfloat16 in hardware: recent CUDA devices, x86 CPUs with
    avx512_bf16 or amx_bf16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = Path("/proc/cpuinfo")
    if device.type != "cpu" or not flags.is_file():
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags.read_text().split())


def machine_memory() -> int:
    """Bytes of the machine's memory, free or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def copies_alone(device: torch.device) -> bool:
    """Whether a copy to the device may go on by itself: only for CUDA is it waited for before
    memory is used again."""
    return device.type == "cuda"
