"""Make the animated tour of the README: the real demo in a real terminal, as a GIF.

    python screenshots/tour.py

Keys are typed as an operator would type them, and a foreign program holds a store for a while. Once
a second what tmux has on its screen is drawn, with a row below that says what is done. The colours
of the GIF are those that were drawn with, and some steps between each and the ground, for the edges
of letters; each picture holds only what changed.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cairosvg
from drawing import BACK, draw
from make import HERE, SIZE, demo
from PIL import Image

STEPS_TO_GROUND = (1.0, 0.75, 0.5, 0.25)
MOST_COLOURS = 256
SCALE = 0.9
WARM_UP_SECONDS = 12.0
LARGEST_BYTES = 1_500_000
CAPTION = "\x1b[0m\n\n\x1b[1;38;2;122;167;217m  {caption}\x1b[0m"


@dataclass(frozen=True)
class Step:
    """What is typed, what must be on the screen then, for how many seconds it is shown.

    `slow`: from here on a foreign program holds cedar's store; `well`: from here on no more.
    """

    caption: str
    keys: tuple[str, ...] = ()
    shows: str = ""
    seconds: int = 4
    slow: bool = False
    well: bool = False


STEPS = (
    Step("isinglass demo: three nodes, real clients, a monitor", ("1", "g"), seconds=3),
    Step(
        "something is wrong with cedar: who holds writers up, and at which line?",
        shows="limited by   cedar",
        seconds=4,
        slow=True,
    ),
    Step("4  why, and which writers wait", ("4",), "limited by cedar"),
    Step("j j Enter  the threads of cedar, the one that stands first", ("j", "j", "Enter"), "NOW"),
    Step("Enter  its source, and where its last ten seconds went", ("Enter",), "same hash"),
    Step("5  how far behind, and when it will be even", ("q", "5"), "cedar is", well=True),
    Step("Z  stop a node (SIGSTOP): the others measure it", ("k", "Z", "y"), "further", 6),
    Step("8  the alarm of the monitor", ("8",), "node-silent"),
    Step("Enter, 1  every view shows the instant at which it fired", ("Enter", "1"), "PAUSED"),
    Step("[ [ [  back, second by second", ("[", "[", "["), "PAUSED", 3),
    Step("L  live again; Z  let it go on: it gets what it missed", ("L", "Z"), "LIVE", 5),
)


def drawn(screen: str, caption: str) -> str:
    """Return a screen with its caption, as SVG."""
    return draw(screen + CAPTION.format(caption=caption), SIZE[0])


def picture(svg: str, palette: Image.Image) -> Image.Image:
    """Return an SVG as a picture of these colours."""
    image = Image.open(io.BytesIO(cairosvg.svg2png(bytestring=svg.encode(), scale=SCALE)))
    return image.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)


def palette_of(svgs: list[str]) -> Image.Image:
    """Return the colours of pictures, each with its steps to the ground."""
    used = sorted({fill for svg in svgs for fill in re.findall(r'fill="#(\w{6})"', svg)})
    ground = bytes.fromhex(BACK[1:])
    colours = [
        round(low + (high - low) * step)
        for fill in used
        for step in STEPS_TO_GROUND
        for low, high in zip(ground, bytes.fromhex(fill), strict=True)
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours[: MOST_COLOURS * 3])
    return palette


def filmed() -> list[str]:
    """Play the steps; return an SVG a second."""
    found = []
    with (
        tempfile.TemporaryDirectory(prefix="isg-", dir="/dev/shm") as name,
        demo(Path(name), WARM_UP_SECONDS) as walk,
        ExitStack() as faults,
    ):
        for step in STEPS:
            if step.slow:
                faults.enter_context(walk.slow_store("cedar"))
            for key in step.keys:
                walk.press(key)
                time.sleep(0.4)
            walk.terminal.wait_for(step.shows, 90.0)
            for _ in range(step.seconds):
                screen = walk.terminal.screen(colours=True)
                found.append(drawn(screen, step.caption))
                time.sleep(1.0)
            if step.well:
                faults.close()
    return found


def main() -> int:
    """Make the tour."""
    svgs = filmed()
    palette = palette_of(svgs)
    frames = [picture(svg, palette) for svg in svgs]
    path = HERE / "tour.gif"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=1000, loop=0, optimize=True
    )
    size = path.stat().st_size
    print(f"screenshots/tour.gif  {len(frames)} pictures, {size:,} bytes")
    return 0 if size <= LARGEST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
