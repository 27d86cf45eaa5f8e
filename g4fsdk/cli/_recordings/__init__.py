"""Recordings as people read them, and what was found in them."""
