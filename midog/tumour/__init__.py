"""Where a slide is tumour, as somebody outlined it: ASAP's polygons, and mask TIFFs."""
