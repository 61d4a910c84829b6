"""Annotation files of every kind that this field ships."""
