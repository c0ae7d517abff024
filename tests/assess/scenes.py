"""A simulated scan whose truth is known, what was reconstructed from it, and lattices and blobs."""

from dataclasses import replace

import numpy as np

from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.samples import small_scan

FIXED = 100_000  # the epoch from which the probe would be learnt


def reconstructed(name="fibres", photons=2e4, epochs=12):
    """Return a scan, its truth and a quick reconstruction with the known probe."""
    scan, truth = small_scan(name, photons)
    start = replace(truth, object=np.full_like(truth.object, 0.98), name=name)
    raw = run_to_end(reconstruct(scan, RpieOptions(epochs=epochs, probe_start=FIXED), start, "cpu"))
    return scan, truth, raw


def lattice(shape, period, size):
    """Waves of a period along both axes, (H, W), in rad."""
    y, x = np.indices(shape)
    return size * np.cos(2 * np.pi * y / period) * np.cos(2 * np.pi * x / period)


def blob(shape, at, size, sigma=4.0):
    """A Gaussian, (H, W), in rad."""
    y, x = np.indices(shape)
    return size * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * sigma**2))


def last(job):
    """Drive a job to its end; return its last update."""
    *_, update = job
    return update
