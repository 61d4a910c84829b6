"""Scores a folder of detections against the annotation, for all ROIs and by group."""
