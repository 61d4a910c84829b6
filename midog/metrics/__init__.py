"""Scores of detections, in numpy, scipy and pandas alone."""
