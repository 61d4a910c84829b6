"""The device a user names."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch

from midog.devices import (
    copies_alone,
    is_out_of_memory,
    machine_memory,
    mixed_precision,
    op_that_varies,
    pick_device,
    pick_devices,
    repeatable,
)
from midog.errors import DeviceError


def test_the_cpu_is_always_there_and_auto_finds_something():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_says_what_to_use(name):
    with pytest.raises(DeviceError, match="use"):
        pick_device(name)


def test_the_machine_has_memory():
    assert machine_memory() > 2**28


@pytest.mark.parametrize(("device", "alone"), [("cuda", True), ("mps", False), ("cpu", False)])
def test_only_copies_to_cuda_go_on_by_themselves(device, alone):
    assert copies_alone(torch.device(device)) == alone


_CUDNN = "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed in a non-"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("HIP out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("Invalid buffer size: 30.00 GiB"),
        RuntimeError("NCCL error: unhandled cuda error: Cuda failure 2 'out of memory'"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError(_CUDNN + "contiguous input."),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate`"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory:"
            " you tried to allocate 4 bytes. Error code 12 (Cannot allocate memory)"
        ),
        RuntimeError("unable to mmap 8 bytes from file <a>: Cannot allocate memory (12)"),
        RuntimeError("std::bad_alloc"),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=lambda error: f"{type(error).__name__}-{str(error)[:40]}",
)
def test_memory_that_ran_out_is_recognised_in_every_library(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(10**15),
        lambda: torch.empty(10**10, 10**10),
        lambda: np.empty(10**15),
        lambda: bytearray(10**15),
    ],
    ids=["torch", "torch overflows", "numpy", "python"],
)
def test_memory_that_really_ran_out_is_recognised(make):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        make()
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shapes differ"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        ValueError("out of memory"),
        OSError(errno.ENOSPC, "No space left on device", "out of memory.tiff"),
        DeviceError("cuda is out of memory with 8 tiles"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: f"{type(error).__name__}-{str(error)[:40]}",
)
def test_other_errors_are_not_taken_for_memory(error):
    assert not is_out_of_memory(error)


@pytest.mark.parametrize(("free", "is_memory"), [(2**30, True), (15 * 2**30, False)])
def test_cudnn_without_an_algorithm_means_memory_where_little_is_free(monkeypatch, free, is_memory):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 16 * 2**30))
    assert is_out_of_memory(RuntimeError(_CUDNN + "contiguous input.")) == is_memory
    assert is_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)


@pytest.mark.parametrize(
    ("name", "count", "taken"),
    [
        ("cuda:1", 1, [1]),
        ("cuda:1", 2, [1, 2]),
        ("cuda:2", 2, [2, 3]),
        ("cuda", 1, [0]),
        ("cuda", 3, [0, 1, 2]),
        ("auto", 4, [0, 1, 2, 3]),
    ],
)
@pytest.mark.usefixtures("four_gpus")
def test_several_gpus_begin_at_the_one_that_is_named(name, count, taken):
    assert pick_devices(name, count) == ("cuda", taken)


@pytest.mark.parametrize(
    ("name", "count", "says"),
    [
        ("cuda:3", 2, "machine.devices=2 means cuda:3 to cuda:4, and there are 4"),
        ("cuda:1", 4, "means cuda:1 to cuda:4"),
        ("cuda", 5, "use machine.device=cuda and machine.devices=4"),
    ],
)
@pytest.mark.usefixtures("four_gpus")
def test_gpus_that_do_not_all_exist_are_refused(name, count, says):
    with pytest.raises(DeviceError, match=says):
        pick_devices(name, count)


def test_a_cpu_has_as_many_processes_as_are_asked_for_and_mps_one(monkeypatch):
    assert pick_devices("cpu", 3) == ("cpu", 3)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_devices("mps", 1) == ("mps", 1)
    with pytest.raises(DeviceError, match=r"machine\.devices=1"):
        pick_devices("mps", 2)


@pytest.mark.parametrize(
    ("capability", "bf16", "precision"),
    [
        ((9, 0), True, "bf16-mixed"),
        ((8, 0), True, "bf16-mixed"),
        ((7, 5), False, "16-mixed"),
        ((7, 0), False, "16-mixed"),
        ((6, 1), False, "32-true"),
    ],
    ids=["H200", "A100", "T4", "V100", "GTX 1080"],
)
def test_a_gpu_without_bfloat16_trains_in_float16(monkeypatch, capability, bf16, precision):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert mixed_precision(torch.device("cuda", 0)) == precision


def test_a_cpu_never_trains_in_float16():
    assert mixed_precision(torch.device("cpu")) in ("bf16-mixed", "32-true")


def test_an_operation_that_varies_is_named_and_torch_is_left_as_it_was():
    values, place = torch.zeros(4), torch.tensor([1])
    before = torch.backends.cudnn.benchmark
    with repeatable(True):
        assert torch.backends.cudnn.deterministic
        with pytest.raises(RuntimeError) as caught:
            values.put_(place, torch.ones(1))
    assert op_that_varies(caught.value) == "put_"
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic
    assert torch.backends.cudnn.benchmark == before
    with repeatable(False):
        values.put_(place, torch.ones(1))
    assert op_that_varies(RuntimeError("shapes differ")) is None
    assert op_that_varies(RuntimeError("Deterministic behavior was enabled with …")) == "cuBLAS"
