"""Parts of scripts/same_numbers.py."""
