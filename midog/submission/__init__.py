"""Entries to the MIDOG challenge: what the platform gives and takes, the container, the check."""
