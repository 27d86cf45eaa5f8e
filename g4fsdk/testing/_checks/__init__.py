"""What a CI asks of recordings: format, age, drift."""
