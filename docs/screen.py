# SPDX-License-Identifier: Apache-2.0
"""Makes a picture of `shmcov top` as it looks at a run that has two workers in tests.

python docs/screen.py SEGMENT docs/_static/top.svg [--seconds N] [--keys enter,...]
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from shmcov.screen import Top

SIZE = (100, 30)


async def picture(segment: Path, seconds: float, keys: list[str]) -> str:
    app = Top(segment)
    async with app.run_test(size=SIZE) as pilot:
        while not app.counted:
            await pilot.pause(1)
        await pilot.pause(seconds)
        await pilot.press(*keys)
        while not keys and app.seen and sum(one.test != "" for one in app.seen.workers) < 2:
            await pilot.pause(0.2)
        await pilot.pause(0.2)
        return app.export_screenshot(title="shmcov top")


def without_links(svg: str) -> str:
    """The exported picture asks a server for its font; any of a fixed width will do."""
    svg = re.sub(r"@font-face\s*{[^}]*}\s*", "", svg)
    return re.sub(r"[ \t]+$", "", svg.replace("Fira Code", "monospace"), flags=re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("segment", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        help="how long to look first, once the source is counted",
    )
    parser.add_argument("--keys", default="", help="keys to press then, with commas")
    options = parser.parse_args()
    keys = [key for key in options.keys.split(",") if key]
    options.picture.write_text(
        without_links(asyncio.run(picture(options.segment, options.seconds, keys)))
    )


if __name__ == "__main__":
    main()
