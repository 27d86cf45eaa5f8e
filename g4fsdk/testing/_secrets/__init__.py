"""Taking secrets out of recordings."""
