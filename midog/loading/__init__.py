"""From ROIs to batches: where to look, what is there, and what a patch is to teach."""
