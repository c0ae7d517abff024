"""The three scans of the data folder, each with the engine's default settings."""

import numpy as np
import pytest

from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.io import read_scan
from napari_ptycho.job import run_to_end
from napari_ptycho.physics.align import align, flatten, illuminated

pytestmark = pytest.mark.real


def spoke_contrast(image, middle, radius, spokes):
    """Return the share of the variance along a circle that a star with so many spokes explains."""
    angle = np.linspace(0, 2 * np.pi, 2048, endpoint=False)
    y, x = middle[0] + radius * np.sin(angle), middle[1] + radius * np.cos(angle)
    line = image[np.rint(y).astype(int), np.rint(x).astype(int)]
    power = np.abs(np.fft.rfft(line - line.mean())) ** 2
    return power[spokes - 1 : spokes + 2].sum() / power.sum()


def test_the_real_star_reaches_a_low_error_and_shows_its_spokes(real_data):
    scan = read_scan(real_data / "tike_siemens" / "siemens-star-small.npz.bz2")
    result = run_to_end(reconstruct(scan, RpieOptions(epochs=30)))
    assert result.errors[-1] <= 0.0125
    phase = np.angle(flatten(result))
    known = illuminated(result)
    assert phase[known].std() > 0.1
    # 30 spokes around (229, 208) px.
    assert spoke_contrast(phase, (229, 208), 130, 30) > 0.7


def test_the_near_field_star_is_clean(real_data):
    geometry = {"propagation": "near", "focus_to_sample_m": 3.65e-3}
    path = real_data / "p25_nearfield" / "PETRAIII_P25_Near_Field_Ptycho.cxi"
    scan = read_scan(path, geometry)
    assert scan.pixel_size_m == pytest.approx((178.66e-9, 178.66e-9), rel=1e-4)
    result = run_to_end(reconstruct(scan, RpieOptions(epochs=60)))
    assert result.errors[-1] < 0.006
    phase = np.angle(flatten(result))
    # 28 spokes around (105, 105) px; a wrong orientation or distance leaves no star at all.
    assert spoke_contrast(phase, (105, 105), 50, 28) > 0.8


def test_the_known_object_of_ptynet_comes_back(real_data):
    path = real_data / "ptynet" / "ptynet75_poisson1e6.npz"
    with np.load(path) as file:
        truth, corners = file["object"].astype(complex), file["positions_px"]
    result = run_to_end(reconstruct(read_scan(path), RpieOptions(epochs=20)))
    offset = np.rint(result.positions_px - corners).astype(int)[0]
    seen, known = np.zeros_like(truth), np.zeros(truth.shape, bool)
    low = corners.min(axis=0)
    high = corners.max(axis=0) + 128
    there = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    ours = tuple(slice(a + o, b + o) for a, b, o in zip(low, high, offset, strict=True))
    seen[there], known[there] = result.object[ours], illuminated(result)[ours]
    found = align(truth, seen, known)
    one, other = truth[known], found.image[known]
    correlation = abs(np.vdot(one, other)) / (np.linalg.norm(one) * np.linalg.norm(other))
    assert correlation >= 0.99
