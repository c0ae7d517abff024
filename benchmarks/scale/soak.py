r"""What is left after hundreds of starts, stops, clicks and closings in a real window.

One process opens napari with all docks and goes through cycles, drawn at random: start and stop a
reconstruction, a prediction or a denoising; select and toggle layers and move the slider; close and
open docks; open a sample; and, every so many cycles, close the window and open a fresh one. A
second process, the control, does the like without this plugin: what grows there is napari's and
Qt's own. Both count their memory, threads, widgets, Qt objects and open files.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/scale/soak.py --cycles 500 \
        --figure docs/images/soak.png

Prints a table; exits 1 if the process with our docks died, or a thread, a task, a window or a dock
was left.
"""

import argparse
import faulthandler
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from soak_windows import Ours, Window, events

CLOSES = 20  # cycles after which the window is closed and opened; in short runs, half of them
LOOKS = 10  # cycles after which everything is counted
WARM_UP = 0.2  # share of the cycles before which nothing is concluded
KINDS: dict[str, type[Window]] = {"ours": Ours, "control": Window}
COUNTS = {
    "rss_mb": "memory (MB)",
    "threads": "threads",
    "widgets": "widgets",
    "objects": "Qt objects",
    "files": "open files",
}
LEFT = ("own threads", "tasks", "docks left", "windows left")
DIED = ", then it crashed"
Look = dict[str, float]


def soak(kind: str, cycles: int, seed: int) -> Iterator[Look]:
    """Go through the cycles; yield what was counted, the last with the window closed."""
    draw = random.Random(seed)
    window = KINDS[kind](draw)
    windows = weakref.WeakSet([window.viewer])
    began, closes = time.monotonic(), min(CLOSES, max(1, cycles // 2))
    for cycle in range(1, cycles + 1):
        if cycle % closes == 0:
            window.reopen()
            windows.add(window.viewer)
        else:
            draw.choice(window.actions())()
        if cycle % LOOKS == 0 or cycle == cycles:
            look = counted(window, cycle) | {"windows left": len(windows) - 1}
            yield look | {"seconds": time.monotonic() - began}
    window.close()
    yield counted(window, cycles) | {"closed": 1, "windows left": len(windows)}


def counted(window: Window, cycle: int) -> Look:
    """Return what there is now, after what is dead was collected."""
    import psutil
    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        events(0.1)
        gc.collect()
    process = psutil.Process()
    own = [one for one in threading.enumerate() if one.name.startswith("ptycho")]
    return {
        "cycle": cycle,
        "rss_mb": process.memory_info().rss / 1e6,
        "threads": process.num_threads(),
        "own threads": len(own),
        "widgets": len(QApplication.allWidgets()),
        "objects": sum(issubclass(type(one), QObject) for one in gc.get_objects()),
        "files": process.num_fds(),
        **window.alive(),
    }


# -- the verdict


def opened(looks: list[Look]) -> list[Look]:
    """Return what was counted while the window was open."""
    return [look for look in looks if "closed" not in look]


def died(looks: list[Look]) -> bool:
    """Return whether the process ended before its window was closed."""
    return "closed" not in looks[-1]


def slope(looks: list[Look], name: str) -> tuple[float, float]:
    """Return growth per cycle after the warm-up, and its standard error, by a straight line."""
    looks = opened(looks)
    cycles = np.array([look["cycle"] for look in looks])
    values = np.array([look[name] for look in looks])
    late = cycles >= WARM_UP * cycles[-1]
    if late.sum() < 4:
        return float("nan"), float("nan")
    line, spread = np.polyfit(cycles[late], values[late], 1, cov=True)
    return float(line[0]), float(np.sqrt(spread[0, 0]))


def table(found: dict[str, list[Look]]) -> str:
    """Return the numbers as a Markdown table: growth per 100 cycles, and what was left."""
    rows = ["| | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
    for name, title in COUNTS.items():
        cells = []
        for looks in found.values():
            grown, error = slope(looks, name)
            first, *_, last = opened(looks)
            ends = f"{first[name]:.0f} → {last[name]:.0f}"
            rate = f"; {100 * grown:+.2f} ± {100 * error:.2f} per 100 cycles"
            cells.append(ends + ("" if np.isnan(grown) else rate))
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    ends = [f"{looks[-1]['cycle']:.0f}" + DIED * died(looks) for looks in found.values()]
    rows.insert(2, "| cycles | " + " | ".join(ends) + " |")
    for name in LEFT:
        cells = [f"{looks[-1][name]:.0f}" if name in looks[-1] else "" for looks in found.values()]
        rows.append(f"| {name}, window closed | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def figure(found: dict[str, list[Look]], path: Path) -> None:
    """Draw what was counted over the cycles."""
    from matplotlib.figure import Figure

    names = ("rss_mb", "threads", "widgets", "objects")
    drawing = Figure(figsize=(9, 5), layout="constrained")
    for axes, name in zip(drawing.subplots(2, 2, sharex=True).flat, names, strict=True):
        for kind, looks in found.items():
            axes.plot(
                [look["cycle"] for look in opened(looks)],
                [look[name] for look in opened(looks)],
                label={"ours": "with our docks", "control": "napari alone"}[kind],
            )
        axes.set_title(COUNTS[name], fontsize="medium")
        axes.set_ylim(bottom=0)
    axes.legend()
    drawing.supxlabel("cycles")
    drawing.savefig(path, dpi=110)


# -- processes


def apart(kind: str, given: argparse.Namespace) -> list[Look]:
    """Soak in a process of its own, with folders of its own; return what it counted."""
    looks: list[Look] = []
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: f"{folder}/{name}" for name in ("AUTOSAVES", "JOBS", "LAYOUTS", "WINDOW")}
        own = {f"NAPARI_PTYCHO_{name}": path for name, path in kept.items()}
        own |= {"NAPARI_CONFIG": f"{folder}/napari.yaml"}
        words = [sys.executable, __file__, "--cycles", given.cycles, "--seed", given.seed]
        with subprocess.Popen(
            [*map(str, words), "--only", kind],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **own},
        ) as process:
            assert process.stdout is not None  # asked for
            for line in process.stdout:
                print(f"{kind}: {line}", end="", file=sys.stderr, flush=True)
                looks.append(json.loads(line))
    if not looks:
        raise SystemExit(f"the window of '{kind}' died at once: exit status {process.returncode}")
    return looks


def main() -> int:
    """Soak, print, draw, and say whether anything was left."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cycles", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", choices=KINDS, help="in this process; prints JSON")
    arguments.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    arguments.add_argument("--json", type=Path, help="write all that was counted")
    arguments.add_argument("--figure", type=Path, help="write a figure (PNG)")
    given = arguments.parse_args()
    if given.only:
        faulthandler.enable()
        for look in soak(given.only, given.cycles, given.seed):
            print(json.dumps(look), flush=True)
        return 0
    with ThreadPoolExecutor() as pool:  # at the same time
        soaked = pool.map(partial(apart, given=given), given.kinds)
        found = dict(zip(given.kinds, soaked, strict=True))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    if given.figure:
        figure(found, given.figure)
    print(table(found))
    ours = found.get("ours", [{"closed": 1}])
    left = any(looks[-1].get(name) for looks in found.values() for name in LEFT)
    return int(left or died(ours))


if __name__ == "__main__":
    sys.exit(main())
