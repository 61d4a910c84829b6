"""ROIs of a data folder: annotations, splits, checks; data that are drawn or downloaded."""
