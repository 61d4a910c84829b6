"""Benchmarks: what this machine can do, what each stage reaches of it, how long a run takes."""
