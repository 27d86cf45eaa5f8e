"""What the command line keeps in the user's folder: settings, and what was said."""
