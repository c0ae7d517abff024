"""Turn the frames of measured scans on purpose, find how they lie, and write `orientation.md`.

    python benchmarks/formats/orientation.py ../shared/data

Exits 1 if a class that is found does not undo the turn.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_ptycho.engines import find_orientation
from napari_ptycho.io import read_scan
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Scan
from napari_ptycho.prepare.centre import find_centre
from napari_ptycho.prepare.orientation import inverse, turned


def cases(folder: Path) -> Iterator[tuple[str, Scan, int]]:
    """Yield a name, a scan, and the code by which its frames are turned."""
    star = read_scan(folder / "tike_siemens" / "siemens-star-small.npz.bz2")
    for code in (0, 1, 7):
        yield "Siemens star, far field, file's probe", star, code
    for code in (0, 4):
        yield "the same without a probe", replace(star, probe=None), code
    file = next((folder / "p25_nearfield").glob("*.cxi"))
    near = read_scan(file, {"propagation": "near", "focus_to_sample_m": 3.65e-3})
    for code in (0, 5):
        yield "P25, near field, no probe", near, code


def misread(scan: Scan, code: int) -> Scan:
    """Return the scan as it would be read were its frames stored turned by this code."""
    near = scan.geometry.propagation == "near"
    frames = np.ascontiguousarray(turned(scan.patterns, code, near))
    return replace(scan, patterns=frames, valid=turned(scan.valid, code, near))


def main() -> int:
    """Find, write, and say whether all were right."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    lines = ["# Orientations found", ""]
    lines.append("| scan | turned by | errors of the classes, best first | below the next | CPU |")
    lines.append("|---|---|---|---|---|")
    wrong = 0
    for name, scan, code in cases(folder):
        began = time.process_time()
        ranking = run_to_end(find_orientation(misread(scan, code), None, "cpu"))
        seconds = time.process_time() - began
        errors = [ranking.errors[ranking.codes.index(group[0])] for group in ranking.classes]
        told = ", ".join(f"{error:.4f}" for error in errors)
        lines.append(f"| {name} | {code} | {told} | {ranking.margin:.0%} | {seconds:.0f} s |")
        wrong += inverse(code) not in ranking.classes[0]
    star = next(cases(folder))[1]
    y, x = find_centre(star)
    height, width = star.frame_shape
    lines += ["", f"Wrong: {wrong}. The automatic centre of the star as it is: ({y:.1f}, {x:.1f})"]
    lines[-1] += f" of frames whose middle is ({height // 2}, {width // 2})."
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
