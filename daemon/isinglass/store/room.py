"""Whether a file of a store could grow: free space, the limit of the process, a quota.

LMDB tells a write that was cut short, as the last one before the end is, as an input/output error
(EIO), whatever cut it. Asked right afterwards, the disk says which of the two it was.
"""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from pathlib import Path

ROOM_BYTES = 1 << 20
"""With less than that a write that was cut short was so for want of room."""

DISK_FULL_CODES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def says_full(error: Exception) -> bool:
    """Tell whether an error, of the system or of LMDB, says that the disk is full."""
    code = getattr(error, "errno", None) or getattr(error, "code", 0)
    return code in DISK_FULL_CODES or "No space left" in str(error)


def has_room(directory: Path, name: str) -> bool:
    """Tell whether a file in a directory could grow by ROOM_BYTES."""
    disk = os.statvfs(directory)
    if disk.f_bavail * disk.f_frsize < ROOM_BYTES:
        return False
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY and limit - (directory / name).stat().st_size < ROOM_BYTES:
        return False
    try:
        with tempfile.TemporaryFile(dir=directory) as trial:
            os.posix_fallocate(trial.fileno(), 0, ROOM_BYTES)
    except OSError as error:
        return error.errno not in DISK_FULL_CODES
    return True
