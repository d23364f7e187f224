"""Messages between processes, and the only sockets of the daemon."""
