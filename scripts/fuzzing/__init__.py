"""Damaged and hostile input, made from seeds, and the readers that it is given to."""
