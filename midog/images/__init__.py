"""Image files: open any of them, read regions at level 0 or resampled, and keep decoded ones."""
