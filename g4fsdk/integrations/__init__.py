"""Other people's frameworks, each in a module with an extra of its name: `dask`, `otel`."""
