"""Playing recordings, whole or damaged."""
