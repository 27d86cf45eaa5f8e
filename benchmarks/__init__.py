"""The whole comparison: `python -m benchmarks`; a quick look: `python -m benchmarks --quick`."""
