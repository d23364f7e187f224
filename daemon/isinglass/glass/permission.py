"""What this user may not look at: one sentence for it, whatever was asked.

Who may not see a file is told "there is none" by whoever takes every error for that; so where
nothing was found, it is asked here whether that is for want of permission.
"""

from __future__ import annotations

import os

from isinglass.glass import layout


def refusal(path: object) -> str:
    """Return the sentence for one who may not open something."""
    return (
        f"{path} may not be read by this user: give the command as the user that it belongs to, or"
        " as one of its group."
    )


def not_opened(path: object, error: OSError) -> str:
    """Return the sentence for a file that could not be opened."""
    if isinstance(error, PermissionError):
        return refusal(path)
    return f"{path} cannot be opened: {error.strerror}"


def unreadable(path: object) -> str:
    """Return `refusal` when this user may not open a file or folder that is there, else "".

    It is asked of the folders above, too.
    """
    try:
        os.close(os.open(str(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except PermissionError:
        return refusal(path)
    except OSError:
        return ""
    return ""


def unseen_nodes() -> str:
    """Return `refusal` when there may be nodes here that this user may not see, else ""."""
    base = layout.runtime_directory()
    try:
        names = sorted(os.listdir(base))
    except OSError:
        return unreadable(base)
    folders = (f"{base}/{name}" for name in names)
    return next(filter(None, map(unreadable, folders)), "")
