"""HTML reports with pictures: one self-contained file each, no network."""
