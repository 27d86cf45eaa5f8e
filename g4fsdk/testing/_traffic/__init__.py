"""What recording and playing share: requests as they are sent, HTTP as bytes, and time."""
