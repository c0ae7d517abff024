"""Open files in the real window, and save what the documentation shows: docs/images/browser*.png.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots_files.py [--data ../shared/data]

The browser on a file with names that nobody knows (true patterns of a star inside), on the master
file of a detector, which has no positions, and the Scan dock after Open.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from qtpy.QtGui import QCursor
from screenshots import REAL, SIMULATED, Window, parser, settle, wait

from napari_ptycho import samples
from napari_ptycho.errors import PtychoError
from napari_ptycho.model import Scan

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MASTER = Path("dectris_arina_bslz4", "test_00_master.h5")
ENERGY_KEV, DISTANCE_MM, PIXEL_UM = 8.8, 2192.0, 75.0
"""Of the made file; the measured star tells none of its own."""


def star() -> Scan:
    """Return the measured star, or where it cannot be had the simulated one."""
    try:
        return samples.open_sample(REAL)
    except PtychoError:
        return samples.open_sample(SIMULATED)


def write_beamline_file(path: Path, scan: Scan) -> None:
    """Write a scan as a beamline of nowhere might: odd names, micrometres, a broken link."""
    patterns = np.asarray(scan.patterns)
    pixel_um = 1.239842 / ENERGY_KEV * DISTANCE_MM / (patterns.shape[1] * PIXEL_UM)
    places = (scan.in_pixels() - scan.in_pixels().min(axis=0)) * pixel_um
    with h5py.File(path, "w") as file:
        detector = file.create_group("run_0042/devices/pix_cam")
        frames = detector.create_dataset(
            "images", data=patterns, chunks=(1, *patterns.shape[1:]), compression="gzip"
        )
        frames.attrs["acquisition"] = "external trigger"
        detector["defects"] = (patterns.max(axis=0) == 0).astype(np.uint8)
        detector["temperature"] = np.full(len(patterns), 291.3)
        detector["raw_frames"] = h5py.ExternalLink("pix_cam_0042_raw.h5", "/data")
        for name, places_um in zip(("stage_y", "stage_x"), places.T, strict=True):
            motor = file.create_dataset(f"run_0042/devices/piezo/{name}", data=places_um)
            motor.attrs["units"] = "um"
        ring = file.create_dataset("run_0042/machine/ring_current", data=np.full(len(places), 98.7))
        ring.attrs["units"] = "mA"
        for name, value, unit in (
            ("optics/mono/energy", ENERGY_KEV, "keV"),
            ("geometry/det_dist", DISTANCE_MM, "mm"),
            ("geometry/pixel_pitch", PIXEL_UM, "um"),
        ):
            file[f"run_0042/{name}"] = value
            file[f"run_0042/{name}"].attrs["units"] = unit
        file["run_0042/comment"] = "star, second try"


class Opening(Window):
    """What a user does to open files."""

    def __init__(self, images: Path) -> None:
        super().__init__(images)
        self.dock("Scan")

    def ready(self) -> None:
        """Wait until nothing is read any more."""
        settle(0.5)
        browser = self.scan.browser
        waiting = (browser.looks, browser.places, browser.previews)
        wait(lambda: not any(one.busy for one in waiting), 120)

    def grab(self, widget: Any, name: str) -> None:
        """Save a picture of a widget."""
        QCursor.setPos(0, 0)  # nothing under the pointer lights up
        settle(1.5)
        widget.grab().save(str(self.images / f"{name}.png"))
        print(f"{name}.png")

    def open(self, path: Path) -> None:
        """Open a file as if it had been dropped."""
        self.scan.open_path(path)
        wait(lambda: not self.scan.runner.running, 120)

    def unknown(self, path: Path) -> None:
        """Set up a file that no format knows, and open it."""
        self.open(path)
        self.scan.setup_button.click()
        self.ready()
        self.scan.browser.tree.used.emit("detector_pixel", "run_0042/geometry/pixel_pitch")
        self.ready()
        self.grab(self.scan.browser, "browser")
        self.scan.browser.open_button.click()
        wait(lambda: self.scan.session.scan is not None, 120)
        self.scan.browser.hide()
        self.dock("Scan")
        self.shoot("browser-opened")

    def master(self, path: Path) -> None:
        """Show what a master file without positions needs."""
        self.open(path)
        self.scan.setup_button.click()
        self.ready()
        self.grab(self.scan.browser, "browser-dectris")


def main() -> None:
    """Take the pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, default=DATA)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_PTYCHO_LAYOUTS"] = str(Path(folder, "layouts"))
        path = Path(folder, "night_shift_0042.h5")
        write_beamline_file(path, replace(star(), name="night_shift_0042"))
        window = Opening(given.images)
        window.unknown(path)
        if (given.data / MASTER).is_file():
            window.master(given.data / MASTER)
        window.viewer.close()


if __name__ == "__main__":
    main()
