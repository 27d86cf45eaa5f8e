"""Units to events, and what events add up to."""
