"""Part of the console."""
