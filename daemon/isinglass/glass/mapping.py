"""Lay other pages under memory that is in use: mmap(2) with MAP_FIXED, which Python cannot ask for.

So an address never moves, whatever backs it: hot loops and `Flag` objects hold on to it.
"""

from __future__ import annotations

import mmap
import os

from isinglass.errors import SegmentError

_MAP_SHARED, _MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS = 0x01, 0x02, 0x10, 0x20


def lay_file(memory: mmap.mmap, descriptor: int, offset: int, *, writable: bool = True) -> None:
    """Lay a file's pages under all of `memory`; `offset` is a multiple of the page.

    Raises:
        SegmentError: the kernel refuses.
    """
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    _map(memory, protection, _MAP_SHARED | _MAP_FIXED, descriptor, offset)


def lay_nothing(memory: mmap.mmap) -> None:
    """Lay fresh pages, all zero and this process's own, under all of `memory`.

    Raises:
        SegmentError: the kernel refuses.
    """
    everything = mmap.PROT_READ | mmap.PROT_WRITE
    _map(memory, everything, _MAP_PRIVATE | _MAP_FIXED | _MAP_ANONYMOUS, -1, 0)


def _map(memory: mmap.mmap, protection: int, flags: int, descriptor: int, offset: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    whole, small = ctypes.c_size_t, ctypes.c_int
    libc.mmap.argtypes = [ctypes.c_void_p, whole, small, small, small, ctypes.c_long]
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    got = libc.mmap(address, len(memory), protection, flags, descriptor, offset)
    if got != address:
        reason = os.strerror(ctypes.get_errno())
        raise SegmentError(f"the region could not be mapped ({reason}): free some memory")
