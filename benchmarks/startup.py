"""How long the first dock takes to open in a window that is there already, beyond napari's share.

Each sample is a process of its own: napari starts and shows its window, a plugin with an empty dock
opens it twice (the first time napari imports what it needs for any dock), then one of our docks is
opened as the first of ours. What the second empty dock took is napari's share and is taken off.
Times end when the events that the dock caused are handled. The first process is not counted: there
Python compiles what an installation has compiled. Needs a display:

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/startup.py

Prints a table in Markdown; exits 1 if the median CPU time of a dock reaches 0.3 s.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

LIMIT_S = 0.3
HEAVY = ("torch", "h5py", "scipy.ndimage", "skimage", "dask.array", "distributed", "pyqtgraph")
"""What may be imported only when there is something to do."""


def timed(task: Callable[[], Any]) -> tuple[float, float]:
    """Return the CPU time of this thread and the wall time of a task, in s."""
    cpu, wall = time.thread_time(), time.perf_counter()
    task()
    return time.thread_time() - cpu, time.perf_counter() - wall


def sample(dock: str) -> dict[str, Any]:
    """Open napari, two empty docks and one of ours; return (CPU s, wall s) of each."""
    found: dict[str, Any] = {}

    def window() -> None:
        import napari

        found["viewer"] = napari.Viewer()
        found["app"] = napari.qt.get_qapp()
        found["app"].processEvents()

    started = timed(window)
    from npe2 import DynamicPlugin
    from qtpy.QtWidgets import QWidget

    viewer, app = found["viewer"], found["app"]

    def opened(plugin: str, name: str) -> tuple[float, float]:
        def task() -> None:
            viewer.window.add_plugin_dock_widget(plugin, name)
            app.processEvents()

        return timed(task)

    with DynamicPlugin("empty-docks") as plugin:
        for name in ("first", "second"):
            plugin.contribute.widget(display_name=name)(type(name, (QWidget,), {}))
        opened("empty-docks", "first")
        empty = opened("empty-docks", "second")
    before = set(sys.modules)
    ours = opened("napari-ptycho", dock)
    heavy = [name for name in HEAVY if name in set(sys.modules) - before]
    viewer.close()
    return {"window": started, "empty": empty, "ours": ours, "heavy": heavy}


def measured(dock: str, samples: int) -> list[dict[str, Any]]:
    """Return samples of one dock, each from a fresh process."""
    command = [sys.executable, "-W", "ignore", __file__, "--dock", dock]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    taken = [subprocess.check_output(command, env=environment) for _ in range(samples + 1)]
    return [json.loads(one) for one in taken[1:]]


def row(dock: str, samples: list[dict[str, Any]]) -> tuple[float, str]:
    """Return the median CPU time and a row of the table."""
    cpu, wall = ([one["ours"][i] - one["empty"][i] for one in samples] for i in (0, 1))
    share = statistics.median(own / one["window"][0] for own, one in zip(cpu, samples, strict=True))
    heavy = ", ".join(sorted({name for one in samples for name in one["heavy"]})) or "none"
    middle = statistics.median(cpu)
    return middle, (
        f"| {dock} | {middle:.2f} [{min(cpu):.2f}-{max(cpu):.2f}] | {statistics.median(wall):.2f} "
        f"| {100 * share:.0f} % | {heavy} |"
    )


def main() -> int:
    """Measure all docks, print the table, and say whether all are quick enough."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--samples", type=int, default=5)
    arguments.add_argument("--dock", help="take one sample of this dock, as JSON")
    given = arguments.parse_args()
    if given.dock:
        print(json.dumps(sample(given.dock)))
        return 0
    from napari_ptycho.gui.app import DOCKS

    taken = {dock: measured(dock, given.samples) for dock in DOCKS}
    rows = {dock: row(dock, samples) for dock, samples in taken.items()}
    everything = [one for samples in taken.values() for one in samples]
    window, empty = (
        statistics.median(one[what][0] for one in everything) for what in ("window", "empty")
    )
    print(
        f"napari's window: {window:.2f} CPU s; an empty dock in it: {empty:.2f} CPU s. "
        f"Medians of {given.samples} processes.\n\n"
        "| first dock | beyond an empty dock, CPU s | wall s | of the window's start "
        "| heavy imports |\n|---|---|---|---|---|"
    )
    for _, text in rows.values():
        print(text)
    return int(max(middle for middle, _ in rows.values()) >= LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
