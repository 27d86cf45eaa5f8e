"""What the words of a command mean: its options, whom to ask, and what."""
