"""Augmentation of training patches, on a device and on a CPU."""
