"""The commands of the monitor."""
