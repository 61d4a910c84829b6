"""The recipe that turns ROIs into a model."""
