"""Disks that can lose power or be full: an ext4 image and a tmpfs, mounted by root on Linux."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_FLUSHING = 2  # its journal is cut off as well: what was not synced is lost


class PowerDisk:
    """An ext4 file system in a file, whose power can be cut."""

    def __init__(self, folder: Path, megabytes: int = 1024) -> None:
        self._image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self._image], check=True)
        self._mount()

    def cut(self) -> None:
        """Cut the power: nothing is written from now on, and what was not synced is lost."""
        number = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(number, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING))
        finally:
            os.close(number)

    def power_on(self) -> None:
        """Mount it again, as after a power cut; every process must have let go of it."""
        self.close()
        self._mount()

    def close(self) -> None:
        for _ in range(100):  # a killed process lets go of its files a moment later
            if (
                subprocess.run(["umount", self.place], capture_output=True, check=False).returncode
                == 0
            ):
                return
            time.sleep(0.1)
        raise OSError(f"{self.place} stays in use")

    def _mount(self) -> None:
        # a commit every second, so that what was renamed and not flushed shows up empty
        options = "loop,commit=1"
        subprocess.run(["mount", "-o", options, self._image, self.place], check=True)


@contextmanager
def power_disk(folder: Path) -> Iterator[PowerDisk]:
    disk = PowerDisk(folder)
    try:
        yield disk
    finally:
        disk.close()


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[None]:
    """Mount a disk of that size; it can be made larger with `grow`."""
    place.mkdir(exist_ok=True)
    options = f"size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "midog", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def grow(place: Path) -> None:
    """Make room on a small disk."""
    subprocess.run(["mount", "-o", "remount,size=4g", place], check=True)


def can_mount() -> bool:
    """Whether this machine can mount images: root on Linux, with loop devices and mkfs.ext4."""
    return (
        os.geteuid() == 0
        and Path("/dev/loop-control").exists()
        and subprocess.run(["which", "mkfs.ext4"], capture_output=True, check=False).returncode == 0
    )
