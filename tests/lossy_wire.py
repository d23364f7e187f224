"""A network cable between two namespaces that loses, doubles and overtakes frames, as it is told.

The kernel's own means for this (tc netem) is missing in many kernels. Here the cable is this
process: each end is a TAP device, and a thread carries the frames from one to the other. What it
does to them follows from a seed, and from the rule of their direction, which may change at any
moment.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import subprocess
import threading
from dataclasses import dataclass

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_BYTES = 65_536
HELD_BACK_SECONDS = 0.02  # the longest that a frame waits for another one to overtake it


@dataclass
class Rule:
    """What happens to the frames of one direction: shares of them, 0 to 1.

    Attributes:
        seen, lost: how many there were, and how many of these did not arrive.
    """

    loss: float = 0.0
    doubled: float = 0.0
    overtaken: float = 0.0
    seen: int = 0
    lost: int = 0


class _End:
    """One end: a device, and the descriptor through which its frames come and go."""

    def __init__(self, process: int, name: str) -> None:
        self.file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        request = struct.pack("16sH22x", b"isg%d", IFF_TAP | IFF_NO_PI)
        made = fcntl.ioctl(self.file, TUNSETIFF, request)[:16].rstrip(b"\0").decode()
        subprocess.run(["ip", "link", "set", made, "netns", str(process), "name", name], check=True)

    def frames(self) -> list[bytes]:
        """Return what the device has sent."""
        found: list[bytes] = []
        try:
            while len(found) < 256:
                found.append(os.read(self.file, FRAME_BYTES))
        except OSError:
            pass  # no more; or the device is down
        return found

    def put(self, frame: bytes) -> None:
        """Let the device receive a frame."""
        try:
            os.write(self.file, frame)
        except OSError:
            pass  # the device is down


class LossyWire:
    """The cable; close it to take both devices away.

    Args:
        near, far: (a process of the namespace, the device's name there) of both ends.
    """

    def __init__(self, near: tuple[int, str], far: tuple[int, str], seed: int = 1) -> None:
        self._ends = _End(*near), _End(*far)
        self.out, self.back = Rule(), Rule()  # from near to far, and from far to near
        self._random = random.Random(seed)
        self._waiting: dict[int, list[bytes]] = {0: [], 1: []}
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._carry, name="wire", daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        files = [end.file for end in self._ends]
        while True:
            ready, _, _ = select.select([*files, self._stop_read], [], [], HELD_BACK_SECONDS)
            if self._stop_read in ready:
                return
            for way, rule in enumerate((self.out, self.back)):
                frames = self._ends[way].frames() if files[way] in ready else []
                self._pass_on(way, rule, frames)

    def _pass_on(self, way: int, rule: Rule, frames: list[bytes]) -> None:
        target, chance = self._ends[1 - way], self._random.random
        held_back, self._waiting[way] = self._waiting[way], []
        for frame in frames:
            rule.seen += 1
            if chance() < rule.loss:
                rule.lost += 1
            elif chance() < rule.overtaken:
                self._waiting[way].append(frame)
            else:
                target.put(frame)
                if chance() < rule.doubled:
                    target.put(frame)
        for frame in held_back:
            target.put(frame)

    def close(self) -> None:
        """Take the cable away."""
        os.write(self._stop_write, b"x")
        self._thread.join()
        for descriptor in (*(end.file for end in self._ends), self._stop_read, self._stop_write):
            os.close(descriptor)
