"""Images, annotations, splits, and where to look in them."""
