"""What is said, what comes back, and what goes wrong: values."""
