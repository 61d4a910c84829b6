"""Annotation files in every format that READERS lists, read into ROIs."""
