"""Benchmarks: what this machine can do, what each stage reaches, and the same work done the plain
way."""
