"""The device and precision that a user names, checked before anything is built on them."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch

from midog.errors import DeviceError

_OUT_OF_MEMORY = re.compile(
    r"out[ _]of[ _](device[ _]|host[ _])?memory"  # CUDA, its driver, HIP, XPU, MPS, NCCL, triton
    r"|(can't|cannot|could not|failed to|unable to|not enough memory to) allocate"  # CPU, mmap, MPS
    r"|not enough memory|invalid buffer size"  # the CPU's allocator on Windows; MPS
    r"|storage size calculation overflow"  # more bytes than a number holds
    r"|status_(\w+_)?alloc(ation)?_failed"  # cuBLAS, cuDNN, cuSOLVER, cuSPARSE
    r"|cufft_alloc_failed|errormemoryallocation|bad_alloc",
    re.IGNORECASE,
)
_MAYBE_OUT_OF_MEMORY = re.compile(
    r"cudnn_status_(not_supported|internal_error|execution_failed)"
    r"|cublas_status_(not_initialized|internal_error)"
    r"|unable to find (an engine|a valid cudnn algorithm)",
    re.IGNORECASE,
)
"""What cuDNN and cuBLAS report where their workspace could not be had, and in some other cases."""


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


def pick_devices(name: str, count: int) -> tuple[str, list[int] | int]:
    """The devices of a training: 'cuda:1' and its next ones.

    Args:
        name: As of `pick_device`.
        count: Devices, or processes of a CPU, on this machine.

    Returns:
        The kind of device, and which GPUs, or how many processes of another kind.

    Raises:
        DeviceError: Not all of them exist.
    """
    device = pick_device(name)
    if device.type == "mps" and count > 1:
        raise DeviceError(
            f"mps is one device, not {count}", "use {machine.devices}", {"machine.devices": 1}
        )
    if device.type != "cuda":
        return device.type, count
    first, there = device.index or 0, torch.cuda.device_count()
    if first + count > there:
        wanted = f"cuda:{first}" if count == 1 else f"cuda:{first} to cuda:{first + count - 1}"
        raise DeviceError(
            f"machine.device={name} with machine.devices={count} means {wanted}, and there are"
            f" {there} CUDA devices, from cuda:0 on",
            "use {machine.device} and {machine.devices}",
            {"machine.device": "cuda", "machine.devices": max(1, there)},
        )
    return "cuda", list(range(first, first + count))


def mixed_precision(device: torch.device) -> Literal["bf16-mixed", "16-mixed", "32-true"]:
    """The precision that suits a training on the device best.

    Returns:
        'bf16-mixed' where the device has bfloat16 in hardware; '16-mixed' on CUDA devices that have
        float16 alone in their matrix units (V100, T4); else '32-true'.
    """
    if has_bf16(device):
        return "bf16-mixed"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        return "16-mixed"
    return "32-true"


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes bfloat16 in hardware: recent CUDA devices, x86 CPUs with
    avx512_bf16 or amx_bf16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = Path("/proc/cpuinfo")
    if device.type != "cpu" or not flags.is_file():
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags.read_text().split())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU, or the machine, ran out of memory.

    Each library has its own class and words for it: torch.OutOfMemoryError, AcceleratorError
    (asynchronous, or of pinned memory), RuntimeError of cuDNN, cuBLAS, NCCL, MPS or the CPU's
    allocator, MemoryError, OSError of a memory map. Where cuDNN or cuBLAS only report that nothing
    worked, memory is the reason unless more than half of the GPU's is free. Errors of midog's own
    are explained already and never count.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if not isinstance(error, RuntimeError):
        return False
    text = str(error)
    if _OUT_OF_MEMORY.search(text):
        return True
    return _MAYBE_OUT_OF_MEMORY.search(text) is not None and not _mostly_free()


@contextmanager
def repeatable(wanted: bool) -> Iterator[None]:
    """Where wanted, have torch take only algorithms that repeat to the bit, on a GPU too.

    An operation without one raises a RuntimeError that `op_that_varies` reads.
    """
    if not wanted:
        yield
        return
    cudnn = torch.backends.cudnn
    before = torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        cudnn.deterministic, cudnn.benchmark = before[1:]


def op_that_varies(error: BaseException) -> str | None:
    """The operation that has no algorithm that repeats, where that is the error; else None."""
    if not isinstance(error, RuntimeError):
        return None
    if named := re.match(r"(\w+) does not have a deterministic implementation", str(error)):
        return named[1]
    return "cuBLAS" if "Deterministic behavior was enabled" in str(error) else None


def machine_memory() -> int:
    """Bytes of the machine's memory, free or not."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def copies_alone(device: torch.device) -> bool:
    """Whether a copy to the device may go on by itself: only for CUDA is it waited for before
    memory is used again."""
    return device.type == "cuda"


def _mostly_free() -> bool:
    """Whether more than half of the current GPU's memory is free; not where it cannot be asked."""
    if not torch.cuda.is_available():
        return False
    try:
        free, total = torch.cuda.mem_get_info()
    except RuntimeError:  # after an error that leaves the device unusable
        return False
    return free > total // 2
