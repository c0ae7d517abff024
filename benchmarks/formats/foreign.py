"""What other programs read in the files that we write.

Writes a reconstruction and a scan with made-up contents in all forms; then readers that are not
ours (Ptychodus, silx, nexusformat, tifffile) read them back in an environment of their own, and
what they found is compared with what was written. Any difference ends the script.

    python -m venv others && others/bin/pip install ptychodus nexusformat silx tifffile
    python benchmarks/formats/foreign.py others/bin/python > benchmarks/formats/foreign.md
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

N, MODES, SHAPE, WINDOW = 25, 3, (96, 80), (32, 24)
ENERGY_EV, DISTANCE_M, DETECTOR_M = 8000.0, 1.5, (55e-6, 75e-6)
ERRORS = (0.5, 0.25, 0.125)
Found = Iterator[tuple[str, Any, Any]]
"""What it is, what was read, what was written."""


def write_all(folder: Path) -> None:
    """Write the files, and what is in them as truth.npz."""
    from napari_ptycho import io
    from napari_ptycho.model import Geometry, Reconstruction, Scan

    rng = np.random.default_rng(1)

    def noise(*lengths: int) -> Any:
        return (rng.normal(size=lengths) + 1j * rng.normal(size=lengths)).astype(np.complex64)

    geometry = Geometry(ENERGY_EV, DISTANCE_M, DETECTOR_M)
    pixel = geometry.pixel_size_m(WINDOW)
    weights = rng.normal(size=(N, 2)).astype(np.complex64)
    one = Reconstruction(
        object=noise(*SHAPE),
        probe=noise(MODES, *WINDOW),
        positions_px=rng.uniform(0, np.subtract(SHAPE, WINDOW), (N, 2)),
        pixel_size_m=pixel,
        errors=ERRORS,
        geometry=geometry,
        name="made up",
        provenance={"engine": "none"},
        extras={"variations": noise(2, MODES, *WINDOW), "variation_weights": weights},
    )
    valid = rng.uniform(size=WINDOW) > 0.1
    positions = rng.uniform(-1e-6, 1e-6, (N, 2))
    scan = Scan(
        patterns=rng.integers(0, 60_000, (N, *WINDOW), np.uint16),
        positions_m=positions,
        valid=valid,
        geometry=geometry,
        probe=one.probe,
    )
    for writer in io.writers("reconstruction"):
        writer.write(one, folder / f"{writer.key}{writer.suffix}")
    io.write_scan(scan, folder / "data.cxi", "cxi")
    np.savez(
        folder / "truth.npz",
        object=one.object,
        probe=one.probe,
        corners=one.positions_px,
        pixel=np.array(pixel),
        variations=one.extras["variations"],
        weights=weights.real,
        patterns=scan.patterns,
        positions=positions,
        valid=valid,
    )


def of_ptychodus(reader: Any, path: Path, truth: Any) -> Found:
    """Read a product by a reader class of Ptychodus."""
    product = reader.read(path)
    yield "object", product.object_.get_array()[0], truth["object"]
    yield "probe modes", product.probes.get_array()[0], truth["probe"]
    geometry = product.object_.get_geometry()
    places = [geometry.map_coordinates_probe_to_object(one) for one in product.probe_positions]
    centres = np.array([(place.y_px, place.x_px) for place in places])
    # Ptychodus counts from the middle of the first pixel.
    yield "middles of the windows, px", centres, truth["corners"] + (np.array(WINDOW) - 1) / 2
    pixel = product.object_.get_pixel_geometry()
    yield "object pixel, m", (pixel.height_m, pixel.width_m), truth["pixel"]
    yield "energy, eV", product.metadata.photon_energy_eV, ENERGY_EV
    yield "distance, m", product.metadata.detector_distance_m, DISTANCE_M
    yield "far field", product.metadata.far_field, True
    yield "errors", [loss.value for loss in product.losses], ERRORS
    if "product" in path.name:
        yield "variations of the probe", product.probes.get_array()[1:], truth["variations"]
        yield "their weights", product.probes.get_opr_weights()[:, 1:], truth["weights"]


def diffraction_of_ptychodus(reader: Any, path: Path, truth: Any) -> Found:
    """Read diffraction data by a reader class of Ptychodus."""
    data = reader.read(path)
    (frames,) = data
    yield "patterns", frames.get_patterns(), truth["patterns"]
    yield "bad pixels", data.get_bad_pixels(), ~truth["valid"]
    said = data.get_metadata()
    pixel = said.detector_pixel_geometry
    yield "detector pixel, m", (pixel.height_m, pixel.width_m), DETECTOR_M
    yield "energy, eV", said.photon_energy_eV, ENERGY_EV
    yield "distance, m", said.detector_distance_m, DISTANCE_M


def positions_of_ptychodus(reader: Any, path: Path, truth: Any) -> Found:
    """Read the positions of diffraction data, as Ptychodus takes them."""
    import h5py

    with h5py.File(path) as file:
        found = reader._read_positions(file)
    places = [(one.y_m, one.x_m) for one in found]
    yield "positions, m", places, truth["positions"]


def of_silx(_: Any, path: Path, truth: Any) -> Found:
    """Follow the defaults by silx."""
    import silx.io
    from silx.io import nxdata

    with silx.io.open(str(path)) as file:
        found = nxdata.get_default(file)
        signal = np.squeeze(found.signal[()])
        yield "signal by default", signal, truth["object"]
        rows, columns = found.axes[-2:]
        steps = [abs(np.diff(places[()])).mean() for places in (rows, columns)]
        yield "step of its axes, m", steps, truth["pixel"]


def of_nexusformat(_: Any, path: Path, truth: Any) -> Found:
    """Follow the defaults by nexusformat."""
    from nexusformat.nexus import nxload

    root = nxload(str(path))
    found = root.get_default()
    yield "signal by default", np.squeeze(found.nxsignal.nxdata), truth["object"]
    rows, columns = found.nxaxes[-2:]
    yield (
        "step of its axes, m",
        [abs(np.diff(p.nxdata)).mean() for p in (rows, columns)],
        truth["pixel"],
    )
    yield "unit of its axes", [p.attrs["units"] for p in (rows, columns)], ["m", "m"]


def of_tifffile(_: Any, path: Path, truth: Any) -> Found:
    """Read a TIFF by tifffile."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        phase, amplitude = file.asarray()
        if file.is_ome:
            pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
            found = [pixels[f"PhysicalSize{axis}"] * 1e-9 for axis in "YX"]
        else:
            tags = [file.pages[0].tags[f"{axis}Resolution"].value for axis in "YX"]
            found = [1e-6 * below / above for above, below in tags]
    yield "phase, rad", phase, np.angle(truth["object"])
    yield "amplitude", amplitude, np.abs(truth["object"])
    yield "pixel, m", found, truth["pixel"]


def of_numpy(_: Any, path: Path, truth: Any) -> Found:
    """Read what NumPy alone reads."""
    if path.suffix == ".npy":
        yield "probe modes", np.load(path, allow_pickle=False), truth["probe"]
        return
    if path.suffix == ".csv":
        table = np.loadtxt(path, delimiter=",", skiprows=1)
        yield "positions, m", table[:, 1:3], truth["corners"] * truth["pixel"]
        return
    with np.load(path, allow_pickle=False) as archive:
        for name, key in (("object", "object"), ("probe", "probe"), ("positions_px", "corners")):
            yield name, archive[name], truth[key]
        yield "errors", archive["errors"], ERRORS


def readings() -> Iterator[tuple[str, str, Any, Callable[[Any, Path, Any], Found]]]:
    """Yield (program, file, reader, how it is read)."""
    from ptychodus.plugins.cxi_file import CXIDiffractionFileReader, CXIProductFileIO
    from ptychodus.plugins.h5_product_file import H5ProductFileIO
    from ptychodus.plugins.npz_product_file import NPZProductFileIO

    yield "ptychodus", "product.h5", H5ProductFileIO(), of_ptychodus
    yield "ptychodus", "product-npz.npz", NPZProductFileIO(), of_ptychodus
    yield "ptychodus", "cxi.cxi", CXIProductFileIO(), of_ptychodus
    yield "ptychodus", "data.cxi", CXIDiffractionFileReader(), diffraction_of_ptychodus
    yield "ptychodus", "data.cxi", CXIProductFileIO(), positions_of_ptychodus
    for name in ("nexus.nxs", "cxi.cxi"):
        yield "silx", name, None, of_silx
        yield "nexusformat", name, None, of_nexusformat
    yield "tifffile", "ome-tiff.ome.tif", None, of_tifffile
    yield "tifffile", "imagej-tiff.tif", None, of_tifffile
    for name in ("npz.npz", "positions.csv", "probe.npy"):
        yield "numpy", name, None, of_numpy


def read_all(folder: Path) -> None:
    """Print a row of JSON for each thing that was read."""
    truth = dict(np.load(folder / "truth.npz"))
    for program, name, reader, read in readings():
        for what, found, written in read(reader, folder / name, truth):
            row = [f"{program} {metadata.version(program)}", name, what, compared(found, written)]
            sys.stdout.write(json.dumps(row) + "\n")


def compared(found: Any, written: Any) -> str:
    """Return how far what was read is from what was written.

    Raises:
        SystemExit: Too far.
    """
    found, written = np.asarray(found), np.asarray(written)
    if found.shape != written.shape:
        raise SystemExit(f"read {found.shape}, written {written.shape}")
    if np.array_equal(found, written):
        return f"equal: {written}" if written.ndim == 0 else f"equal: {written.shape}"
    if written.dtype.kind not in "iufc":
        raise SystemExit(f"read {found}, written {written}")
    largest = float(np.abs(written).max())
    off = float(np.abs(found - written).max()) / largest
    if not off <= 1e-3:  # NaN too
        raise SystemExit(f"read {found}, written {written}")
    return f"within {off:.0e} of the largest, {written.shape}"


def main() -> None:
    """Write here, read there, and print the table."""
    parser = argparse.ArgumentParser(description="Our files in other programs' hands.")
    parser.add_argument("python", nargs="?", help="of the environment with the other programs")
    parser.add_argument("--read", type=Path, help="only read the files in this folder")
    given = parser.parse_args()
    if given.read:
        read_all(given.read)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_all(Path(folder))
        command = [given.python or sys.executable, __file__, "--read", folder]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    lines = [
        "# Our files in other programs",
        "",
        "| program | file | what it read | against what was written |",
    ]
    lines.append("|---|---|---|---|")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
