"""The version: one number for the package, the wheel and the command line."""

from __future__ import annotations

from importlib.metadata import version

import midog as package
from midog._version import __version__


def test_package_wheel_and_command_line_say_the_same_version(midog):
    assert package.__version__ == version("midog") == __version__
    assert midog("--version").out == f"midog {__version__}\n"
