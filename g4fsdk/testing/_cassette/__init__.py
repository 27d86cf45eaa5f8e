"""One recorded session, and the file it is kept in."""
