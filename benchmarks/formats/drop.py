"""Drop every file of a folder, and ten broken ones, on a real window, and write what happened.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/formats/drop.py ../shared/data

Each file is dropped as a person does it: an event with its address on the Scan dock. What is shown
afterwards, layers or a sentence, goes into `drop.md` beside this script; files with the same
outcome share a row. Exits 1 if a drop ended without a layer and without a sentence.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEventLoop, QMimeData, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDropEvent

from napari_ptycho.gui.app import open_docks, open_window

PAIRS = {
    "test_00_master.h5": "positions-16.csv",
    "1diff_cat100_0overlap.npy": "true_positions_0overlap.npy",
}
"""Frames that need a second file: name -> the file that is dropped with it."""


@dataclass
class Outcome:
    """What a person saw."""

    name: str
    shown: str


class Window:
    """A real window and its Scan dock."""

    def __init__(self) -> None:
        self.viewer = open_window()
        self.scan = open_docks(self.viewer)[0]

    def drop(self, *paths: Path) -> Outcome:
        """Drop files, wait until the dock has dealt with them, and tell what is shown."""
        self.viewer.layers.clear()
        notification_manager.records.clear()
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        event = QDropEvent(
            QPointF(20, 20),
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        self.scan.dropEvent(event)
        wait(lambda: not self.scan.runner.running, 120)
        wait(lambda: False, 0.3)
        said = [record.message for record in notification_manager.records]
        layers = [layer.name for layer in self.viewer.layers]
        shown = f"layers: {', '.join(layers)}" if layers else " ".join(dict.fromkeys(said))
        return Outcome(" + ".join(path.name for path in paths), shown.strip())


def wait(condition: Callable[[], bool], seconds: float) -> None:
    """Run the event loop until a condition holds or time is up."""
    loop, poll, end = QEventLoop(), QTimer(interval=20), time.monotonic() + seconds
    poll.timeout.connect(lambda: (condition() or time.monotonic() > end) and loop.quit())
    poll.start()
    loop.exec()


def dropped(folder: Path, made: Path) -> Iterator[tuple[Path, ...]]:
    """Yield what is dropped together: each file, or a file and its positions."""
    np.savetxt(
        made / "positions-16.csv",
        np.stack(np.divmod(np.arange(16), 4), axis=1) * 1e-6,
        delimiter=",",
        header="y_m,x_m",
    )
    beside = {path.name: path for path in (*made.glob("*.csv"), *folder.rglob("*.npy"))}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield (path,)
            if path.name in PAIRS:
                yield path, beside[PAIRS[path.name]]


def broken(folder: Path, made: Path) -> Iterator[Path]:
    """Make ten broken files."""
    cxi = next(folder.rglob("*.cxi")).read_bytes()
    star = next(folder.rglob("*.npz.bz2")).read_bytes()
    master = next(folder.rglob("*_master.h5")).read_bytes()
    tiff = next(folder.rglob("*.tif")).read_bytes()
    middle = len(cxi) // 2
    contents = {
        "empty.h5": b"",
        "pointer.h5": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "page.cxi": b"<!DOCTYPE html><html><body>404</body></html>",
        "cut.cxi": cxi[:middle],
        "zeroed.cxi": cxi[: middle // 2] + bytes(middle) + cxi[middle // 2 + middle :],
        "cut.npz.bz2": star[: len(star) // 2],
        "alone_master.h5": master,
        "cut.tif": tiff[: len(tiff) // 2],
        "pickle.npz": b"\x80\x04\x95not a picture",
        "noise.h5": np.random.default_rng(0).bytes(5000),
    }
    for name, content in contents.items():
        path = made / name
        path.write_bytes(content)
        yield path


def table(title: str, outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table, files with the same one in a row."""
    rows: dict[str, list[str]] = {}
    for one in outcomes:
        sentence = re.sub(rf"^{re.escape(one.name.split(' + ')[0])}: ", "", one.shown)
        rows.setdefault(sentence.replace("|", "/"), []).append(one.name)
    lines = [f"**{title}**", "", "| dropped | shown |", "|---|---|"]
    for sentence, names in rows.items():
        named = f"`{names[0]}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        lines.append(f"| {named} | {sentence} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Drop, write, and say whether all ended well."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    given: Any = arguments.parse_args()
    window = Window()
    wait(lambda: False, 2)
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        good = [window.drop(*paths) for paths in dropped(given.folder, made)]
        bad = [window.drop(path) for path in broken(given.folder, made)]
    parts = table("Files of the data folder", good), table("Broken files", bad)
    text = "\n".join(("# Dropped on the window\n", *parts))
    Path(__file__).with_suffix(".md").write_text(text)
    silent = [one.name for one in (*good, *bad) if not one.shown]
    print(f"{len(good)} + {len(bad)} drops; without a word: {silent}")
    window.viewer.close()
    return bool(silent)


if __name__ == "__main__":
    sys.exit(main())
