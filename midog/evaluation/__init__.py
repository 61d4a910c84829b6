"""Scores a folder of detections, ours or a stranger's, against the annotation, for all ROIs and by
group."""
