"""How fast the parsers handle streamed chunks: what stands behind `g4fsdk bench`.

Nothing here needs another library than the parsers do. The comparison with other clients is in the
repository, in `benchmarks/`.
"""
