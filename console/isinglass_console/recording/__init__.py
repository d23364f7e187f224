"""Recordings: frames kept in a file, read by the same screens as the live ones."""
