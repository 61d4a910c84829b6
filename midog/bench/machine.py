"""This machine and its limits: rates of copying, of matrix products and of convolutions."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from midog.bench.timing import best_rate
from midog.devices import has_bf16, machine_memory

GIB = 2**30
_COPY_BYTES = 256 * 2**20  # over any cache
_CONVOLUTIONS = ((64, 64, 3, 128), (256, 1024, 1, 32), (256, 256, 3, 64), (512, 512, 3, 16))
"""The most frequent ones of a 512 px patch: channels in and out, kernel, side of the map."""
_MATRIX_SIDES = {"cpu": (1024, 2048), "cuda": (4096, 8192), "mps": (2048, 4096)}


@dataclass(frozen=True)
class Machine:
    """A machine and its limits.

    Args:
        cpu: Its name.
        cores: That this process may use.
        threads: That it uses.
        memory_gib: Of the machine.
        device: Its name.
        device_memory_gib: None on a CPU.
        bf16: Whether the device computes it in hardware.
        system: Operating system, architecture, Python.
        versions: Of packages, by name.
        copy_gb_s: 1e9 bytes copied per second by "one thread", "all threads" and, on a GPU,
            "device" and "to device".
        matrix_gflop_s: 1e9 float operations per second (a product and a sum are two), the best
            over a few shapes, by precision: float32, bfloat16 if the device has it, tf32 on CUDA.
        convolution_gflop_s: The same of convolutions.
    """

    cpu: str
    cores: int
    threads: int
    memory_gib: float
    device: str
    device_memory_gib: float | None
    bf16: bool
    system: str
    versions: Mapping[str, str]
    copy_gb_s: Mapping[str, float]
    matrix_gflop_s: Mapping[str, float]
    convolution_gflop_s: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rounded = {
            name: {key: round(value, 2) for key, value in getattr(self, name).items()}
            for name in _RATES
        }
        sizes = {"memory_gib": round(self.memory_gib, 1)}
        return asdict(self) | {"versions": dict(self.versions)} | rounded | sizes


_RATES = ("copy_gb_s", "matrix_gflop_s", "convolution_gflop_s")


def measure_machine(
    device: torch.device, threads: int, *, batch: int = 1, seconds: float = 0.3
) -> Machine:
    """Measure this machine's limits, `seconds` for each; convolutions take `batch` patches."""
    cuda = device.type == "cuda"
    bf16 = has_bf16(device)
    precisions = ["float32", *(["tf32"] if cuda else []), *(["bfloat16"] if bf16 else [])]
    return Machine(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        threads=threads,
        memory_gib=machine_memory() / GIB,
        device=torch.cuda.get_device_name(device) if cuda else device.type,
        device_memory_gib=round(torch.cuda.get_device_properties(device).total_memory / GIB, 1)
        if cuda
        else None,
        bf16=bf16,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions={name: version(name) for name in ("torch", "torchvision", "numpy")},
        copy_gb_s=copy_rates(device, threads, seconds),
        matrix_gflop_s={name: _matrix_rate(device, name, seconds) for name in precisions},
        convolution_gflop_s={
            name: _convolution_rate(device, name, batch, seconds) for name in precisions
        },
    )


def copy_rates(
    device: torch.device, threads: int, seconds: float, size: int = _COPY_BYTES
) -> dict[str, float]:
    """Measure 1e9 bytes copied per second; a byte that is read and written counts once."""
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    target.fill(0)  # pages that were never written cost more the first time
    host = torch.device("cpu")
    rates = {"one thread": best_rate(lambda: np.copyto(target, source), size / 1e9, host, seconds)}
    with ThreadPoolExecutor(threads) as pool:
        pieces = list(
            zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)
        )
        rates["all threads"] = best_rate(
            lambda: list(pool.map(_copy, pieces)), size / 1e9, host, seconds
        )
    if device.type == "cuda":
        there = torch.ones(size, dtype=torch.uint8, device=device)
        also_there, pinned = (
            torch.empty_like(there),
            torch.ones(size, dtype=torch.uint8).pin_memory(),
        )
        rates["device"] = best_rate(lambda: also_there.copy_(there), size / 1e9, device, seconds)
        rates["to device"] = best_rate(
            lambda: there.copy_(pinned, non_blocking=True), size / 1e9, device, seconds
        )
    return rates


def _copy(piece: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    np.copyto(*piece)


def _matrix_rate(device: torch.device, precision: str, seconds: float) -> float:
    rates = []
    with _precision(precision) as dtype:
        for side in _MATRIX_SIDES[device.type]:
            a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
            rates.append(best_rate(_product(a, b), 2 * side**3 / 1e9, device, seconds / 2))
    return max(rates)


def _product(a: torch.Tensor, b: torch.Tensor) -> Callable[[], object]:
    return lambda: a @ b


def _convolution_rate(device: torch.device, precision: str, batch: int, seconds: float) -> float:
    rates = []
    with _precision(precision) as dtype, torch.inference_mode():
        for into, out, kernel, side in _CONVOLUTIONS:
            layer = torch.nn.Conv2d(into, out, kernel, padding=kernel // 2)
            layer = layer.to(device, dtype).to(memory_format=torch.channels_last)
            maps = torch.rand(batch, into, side, side, device=device).to(dtype)
            maps = maps.to(memory_format=torch.channels_last)
            work = 2 * batch * into * out * kernel**2 * side**2 / 1e9
            rates.append(best_rate(_call(layer, maps), work, device, seconds / 2))
    return max(rates)


def _call(layer: torch.nn.Module, maps: torch.Tensor) -> Callable[[], object]:
    return lambda: layer(maps)


@contextlib.contextmanager
def _precision(name: str) -> Iterator[torch.dtype]:
    """The dtype of a precision; in here CUDA computes float32 as such, or as tf32 if so named."""
    tf32 = name == "tf32"
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32
        ):
            yield torch.bfloat16 if name == "bfloat16" else torch.float32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _cpu_name() -> str:
    """As the system names it: by /proc/cpuinfo on Linux, else by Python."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
