"""Watching what real processes write, 200 frames a second."""

import hashlib
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.live import WatchOptions, watch
from napari_ptycho.model import Geometry
from tests.live.conftest import phase_error

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "scale"))
import writers

PIXEL_M, ENERGY_EV = 1e-8, 8000.0
STAGES = RpieOptions(epochs=40)
OPTIONS = WatchOptions(epochs=20, patience_s=60.0)


@pytest.fixture
def written(star, tmp_path):
    """Start a writer: written(kind, name, flags...) -> (process, path)."""
    scan, _ = star
    wavelength = Geometry(energy_ev=ENERGY_EV).wavelength_m
    source = writers.save(
        tmp_path / "source.npz",
        patterns=scan.patterns,
        positions_m=scan.in_pixels() * PIXEL_M,
        energy_ev=ENERGY_EV,
        distance_m=1.0,
        pixel_m=wavelength / (scan.frame_shape[0] * PIXEL_M),
    )
    begun = []

    def begin(kind, name, *flags):
        path = tmp_path / name
        begun.append(writers.start(kind, source, path, "--rate", "200", *flags))
        return begun[-1], path

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def digest(patterns):
    return hashlib.blake2b(np.ascontiguousarray(patterns).data, digest_size=16).hexdigest()


def test_a_file_that_is_not_there_yet_is_reconstructed_as_it_grows(star, written):
    scan, truth = star
    _, path = written("swmr", "scan.h5", "--announced", "--compress")
    updates = list(watch(io.open_growing(path), None, STAGES, OPTIONS, probe=truth.probe))
    last = updates[-1].result
    assert last.arrived == last.expected == len(scan)
    assert last.checksum == digest(scan.patterns)
    partial = [u.result for u in updates if u.result.phase == "watching"]
    assert any(0 < view.arrived < len(scan) and view.reconstruction for view in partial)
    scratch = run_to_end(reconstruct(scan, STAGES))
    found = last.reconstruction
    assert phase_error(truth, found) < 1.15 * phase_error(truth, scratch)
    finished = io.read_scan(path)
    again = run_to_end(reconstruct(finished, RpieOptions(epochs=1), found))
    assert again.provenance["scan_checksum"] == found.provenance["scan_checksum"]


def test_a_writer_that_is_killed_leaves_every_frame_it_wrote(star, written):
    scan, _ = star
    process, path = written("swmr", "scan.h5", "--announced", "--die-at", "150")
    options = replace(OPTIONS, patience_s=8.0)
    *_, last = watch(io.open_growing(path), stages=RpieOptions(epochs=2), options=options)
    assert process.wait() == -signal.SIGKILL
    assert last.result.arrived == len(last.result.reconstruction.positions_px) == 150
    assert last.result.checksum == digest(scan.patterns[:150])
    assert "the writer has stopped or died" in last.notes[-1]


@pytest.mark.parametrize(("kind", "name"), [("tiff", "frames"), ("dectris", "scan_master.h5")])
def test_other_ways_to_write(star, written, tmp_path, kind, name):
    scan, _ = star
    (tmp_path / "frames").mkdir()
    _, path = written(kind, name)
    geometry = {"energy_ev": ENERGY_EV, "distance_m": 1.0}
    pixel = Geometry(energy_ev=ENERGY_EV).wavelength_m / (scan.frame_shape[0] * PIXEL_M)
    geometry["detector_pixel_m"] = (pixel, pixel)
    table = path / "positions.csv" if kind == "tiff" else tmp_path / "positions.csv"
    growing = io.open_growing(path, geometry, positions=table)
    options = replace(OPTIONS, patience_s=8.0)  # neither says when it has ended
    *_, last = watch(growing, stages=RpieOptions(epochs=2), options=options)
    assert last.result.arrived == len(scan)
    assert last.result.checksum == digest(scan.patterns)
