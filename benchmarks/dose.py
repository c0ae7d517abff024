"""Measures which chain suits how many photons: what `engines.suggest` goes by.

    python benchmarks/dose.py

Prints the table of docs/reconstruction.md. Two phantoms, each as a dense fly-scan (144 patterns of
128 x 128, 50 nm apart, exposed along the way) and as a step scan (289 patterns of 64 x 64, 8 pixels
apart); the probe to start from is the true one. One draw of the noise each, 30 epochs of rPIE
unless the chain says otherwise, on a CPU. Some five minutes; `--quick` takes two doses.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from napari_ptycho import device
from napari_ptycho.engines import EngineOptions, RpieOptions, reconstruct
from napari_ptycho.engines.presets import COARSE
from napari_ptycho.engines.suggest import photons_per_pixel, suggest
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.prepare.start import mean_pattern
from napari_ptycho.samples import SampleOptions, simulated, small_scan

PHOTONS, FEW_DOSES = (300.0, 1e3, 3e3, 1e4, 1e5), (1e3, 1e5)
FLY, STEP = ("siemens-star", "fibres"), ("star", "fibres")
Chain = tuple[EngineOptions, ...]


def scans(photons: float) -> Iterator[tuple[str, Scan, Reconstruction]]:
    """Return each scan at a dose, and its truth."""
    for name in FLY:
        options = SampleOptions(lines=12, columns=12, step_nm=50.0, photons=photons)
        yield f"{name}, fly-scan", *simulated(name, options)
    for name in STEP:
        yield f"{name}, step scan", *small_scan(name, photons)


def chains(scan: Scan) -> dict[str, Chain]:
    """Return the chains that are compared, by the head of their column."""
    suggested = suggest(scan).stages
    shift = suggested[-1].subpixel  # positions lie between the pixels
    found: dict[str, Chain] = {
        "coarse stage, steps 1": (COARSE, RpieOptions(epochs=30, subpixel=shift))
    }
    for step in (1.0, 0.3, 0.1):
        one = RpieOptions(epochs=30, object_step=step, probe_step=step, subpixel=shift)
        found[f"steps {step:g}"] = (one,)
    return found | {"suggested": suggested}


def scores(truth: Reconstruction, result: Reconstruction) -> tuple[float, float]:
    """Return the rms phase error in rad and the correlation of the phases, over lit pixels."""
    area, true = illuminated(truth), truth.object.astype(complex)
    moved = np.median(result.positions_px - truth.positions_px, axis=0)
    y, x = np.clip(np.rint(moved).astype(int), 0, None)  # pixels that an engine has put before
    h, w = true.shape
    image = result.object[y : y + h, x : x + w].astype(complex)
    found = align(true, image, area).image[area]
    turn = np.exp(-1j * np.angle(true[area].mean()))
    off = np.angle(found * true[area].conj())
    same = np.corrcoef(np.angle(found * turn), np.angle(true[area] * turn))[0, 1]
    return float(np.sqrt((off**2).mean())), float(same)


def row(name: str, photons: float, scan: Scan, truth: Reconstruction) -> str:
    """Return a line of the table."""
    dose = photons_per_pixel(scan, mean_pattern(scan))
    cells, known = [name, f"{photons:g}", f"{dose:.2g}"], dict[Chain, str]()
    for chain in chains(scan).values():
        if chain not in known:
            error, same = scores(truth, run_to_end(reconstruct(scan, chain, device="cpu")))
            known[chain] = f"{error:.3f} / {same:.2f}"
        cells.append(known[chain])
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two doses only")
    doses = FEW_DOSES if parser.parse_args().quick else PHOTONS
    head = ["sample", "photons per pattern", "per lit pixel", *chains(small_scan("star")[0])]
    lines = {name: list[str]() for name, *_ in scans(1e3)}
    for photons in doses:
        for name, scan, truth in scans(photons):
            lines[name].append(row(name, photons, scan, truth))
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    print("\n".join(line for found in lines.values() for line in found))


if __name__ == "__main__":
    with device.threads(1):
        main()
