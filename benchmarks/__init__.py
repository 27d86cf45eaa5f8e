"""The whole comparison: `python -m benchmarks`.

A quick look: `python -m pytest benchmarks --benchmark-only`.
"""
