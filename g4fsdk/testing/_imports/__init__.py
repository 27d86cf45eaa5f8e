"""Sessions that others recorded, as cassettes."""
