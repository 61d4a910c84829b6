"""The version of midog."""

__version__ = "0.1.0"
