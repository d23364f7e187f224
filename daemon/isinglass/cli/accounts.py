"""Accounts of this machine by their names."""

from __future__ import annotations


def account_name(user_id: int) -> str:
    """Return an account's name, or its number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
