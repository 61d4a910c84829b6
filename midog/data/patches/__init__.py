"""Labelled patches: HDF5 in the layout of PatchCamelyon, and folders of class folders."""
