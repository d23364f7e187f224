"""Questions of a person to the log: which part of it, and how it is shown."""
