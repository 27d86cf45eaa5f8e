"""Bytes to units: one file a framing."""
