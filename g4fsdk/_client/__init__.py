"""What both clients have to decide, decided once; the two shells that act on it are the folders inside."""
