"""Benchmarks that run from a checkout: against others' ways, and cost against work."""
