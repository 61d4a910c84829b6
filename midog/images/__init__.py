"""Image files: open any, read regions of a level or resampled, keep decoded ones."""
