"""From ROIs to batches: where to look, what is seen there, and what it is a target for."""
