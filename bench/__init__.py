"""Benchmarks: `python -m bench.NAME` prints figures beside a reference of the same run."""
