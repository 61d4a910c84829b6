"""Tests of what is tissue."""
