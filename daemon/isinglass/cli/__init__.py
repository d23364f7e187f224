"""The commands of the daemon package; none imports textual."""
