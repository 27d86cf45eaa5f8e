"""A travel shop that lets chat models answer its customers."""
