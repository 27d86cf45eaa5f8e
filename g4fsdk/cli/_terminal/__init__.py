"""What is written to a terminal, file or pipe, and how."""
