"""The phantom: synthetic H&E as several scanners see it."""
