"""What a provider is, and what its file is written with."""
