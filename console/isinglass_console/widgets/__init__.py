"""What paints: lines of text with roles, tables and bars of them, and the one Line-API canvas."""
