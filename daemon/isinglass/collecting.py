"""The collector of cycles, in programs that start with much and then make few cycles.

Left alone it goes through all that modules, queue and journal hold again and again: 90 ms for a
console. What is there when the start is over is taken out of that, and the rest is looked through
less often.
"""

from __future__ import annotations

import gc

COLLECT_AFTER = (20_000, 20, 20)  # new objects, and turns of the younger generations (module gc)


def settle() -> None:
    """Say that the start is over: what is there now stays. Collects from now on, also if off."""
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()
