"""Fuzz targets for whatever reads bytes of a service, a proxy or a file: `python -m tests.fuzz --help`."""
