"""The operator's terminal: the console and the entry point of the command `isinglass`."""
