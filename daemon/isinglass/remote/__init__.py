"""The glass over SSH: `isinglass relay` on the far side, addresses and links on the near side."""
