"""The pure half: bytes become events. No socket, clock, random number or environment."""
