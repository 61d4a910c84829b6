"""Classifiers of patches."""
