"""Taking in: from datagrams to the spool, with an account of every event."""
