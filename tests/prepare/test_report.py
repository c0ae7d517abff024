import json
import time

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.model import Geometry, Scan
from napari_ptycho.prepare import bin_positions, binning_report
from napari_ptycho.prepare.coherence import mode_shares, power_spectrum

from . import trajectories


def gaussian(side, sigma):
    """Return a probe (1, side, side) with |P|^2 of this standard deviation in pixels."""
    y, x = np.indices((side, side)) - side // 2
    return np.exp(-(y**2 + x**2) / (4 * sigma**2))[None].astype(np.complex64)


def probed(step, sigma=6.0, n=16, **fields):
    positions = trajectories.raster(n, n, step=(step, step))
    patterns = np.ones((n * n, 64, 64), np.uint16)
    return Scan(patterns, positions_px=positions, probe=gaussian(64, sigma), **fields)


def test_the_numbers_before_and_after():
    scan = probed(2.0)
    report = binning_report(scan, (2, 2))
    binned = bin_positions(scan, (2, 2))
    assert report.frames == (256, len(binned)) == (256, 64)
    assert report.counts == (4096, binned.patterns.sum() / 64)
    assert report.snr_gain == pytest.approx(2)
    assert report.step == pytest.approx((2, 4))
    assert report.memory_bytes == (scan.patterns.nbytes, binned.patterns.nbytes)
    # |P|^2 gaussian: A = 4 pi sigma^2, width = 4 sigma
    assert report.probe_width == pytest.approx(24, rel=1e-3)
    assert report.overlap == pytest.approx((1 - 2 / 24, 1 - 4 / 24), rel=1e-3)
    assert report.epoch_s[0] == pytest.approx(4 * report.epoch_s[1])
    assert report.smaller == 0


def test_lengths_are_in_metres_where_the_scale_is_known():
    geometry = Geometry(energy_ev=8000.0, distance_m=2.0, detector_pixel_m=(75e-6, 75e-6))
    in_pixels = probed(2.0, geometry=geometry)
    pixel = in_pixels.pixel_size_m[0]
    in_metres = Scan(
        in_pixels.patterns,
        positions_m=in_pixels.positions_px * pixel,
        probe=in_pixels.probe,
        geometry=geometry,
    )
    for report in (binning_report(in_pixels, 4), binning_report(in_metres, 4)):
        assert report.unit == "m"
        assert report.step[0] == pytest.approx(2 * pixel)
        assert report.probe_width == pytest.approx(24 * pixel, rel=1e-3)
    assert binning_report(in_metres, 4).purity == pytest.approx(binning_report(in_pixels, 4).purity)


def test_the_modes_are_those_of_the_shifted_probes():
    """Eigenvalues of the Gram matrix against a direct SVD of the shifted probes."""
    rng = np.random.default_rng(3)
    probe = gaussian(64, 5.0) * np.exp(1j * rng.normal(0, 0.3, (1, 64, 64)))
    shifts = rng.uniform(-4, 4, (6, 2))
    ky, kx = np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None, :]
    moved = [
        np.fft.ifft2(np.fft.fft2(probe[0]) * np.exp(-2j * np.pi * (ky * y + kx * x)))
        for y, x in shifts
    ]
    singular = np.linalg.svd(np.reshape(moved, (6, -1)), compute_uv=False)
    expected = singular**2 / (singular**2).sum()
    found = mode_shares(power_spectrum(probe), shifts)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_two_gaussians_have_the_known_purity():
    """Two positions d apart: purity (1 + g) / 2 with g = exp(-d^2 / (8 sigma^2))."""
    sigma, distance = 4.0, 6.0
    shares = mode_shares(power_spectrum(gaussian(64, sigma)), np.array([[0, 0], [0, distance]]))
    assert shares[0] == pytest.approx((1 + np.exp(-(distance**2) / (8 * sigma**2))) / 2, abs=1e-4)
    assert shares.sum() == pytest.approx(1, abs=1e-6)


def test_small_shifts_stay_coherent_and_wide_bins_do_not():
    assert binning_report(probed(0.05), (2, 2)).purity == pytest.approx(1, abs=1e-3)
    assert binning_report(probed(0.05), (2, 2)).modes_needed == 1
    assert not binning_report(probed(0.05), (2, 2)).warnings
    wide = binning_report(probed(4.0, sigma=3.0), (4, 4))
    assert wide.purity < 0.5
    assert wide.modes_needed > 3
    assert f"or {wide.modes_needed} probe modes, which absorb it" in " ".join(wide.warnings)
    assert "overlap" in " ".join(wide.warnings)


def test_purity_falls_as_the_bin_grows():
    purities = [binning_report(probed(2.0), (n, n)).purity for n in (1, 2, 3, 4, 8)]
    assert purities[0] == pytest.approx(1)
    assert purities == sorted(purities, reverse=True)


def test_the_mean_pattern_stands_in_for_the_probe_in_the_far_field():
    scan = probed(2.0)
    light = np.rint(1e5 * power_spectrum(scan.probe) / power_spectrum(scan.probe).max())
    patterns = np.repeat(light[None], len(scan), axis=0).astype(np.uint32)
    blind = Scan(patterns, positions_px=scan.positions_px)
    report, known = binning_report(blind, (3, 3)), binning_report(scan, (3, 3))
    assert report.purity == pytest.approx(known.purity, abs=1e-3)
    assert report.coherence_from == "mean pattern, in place of a probe"
    assert report.probe_width is None
    assert "unknown" in "\n".join(report.lines())


def test_what_is_not_known_is_said():
    near = Scan(
        np.ones((64, 8, 8), "u2"),
        positions_px=trajectories.raster(8, 8),
        geometry=Geometry(propagation="near"),
    )
    assert binning_report(near, 4).purity is None
    assert binning_report(near, 4).coherence_from == "unknown: a near-field scan without a probe"
    no_scale = Scan(np.ones((64, 8, 8), "u2"), positions_m=trajectories.raster(8, 8) * 1e-6)
    report = binning_report(no_scale, 4)
    assert report.purity is None
    assert "no object pixel size" in report.coherence_from
    assert report.unit == "m"
    dark = Scan(np.zeros((64, 8, 8), "u2"), positions_px=trajectories.raster(8, 8))
    assert binning_report(dark, 4).coherence_from == "unknown: there is no light"


def test_a_lazy_scan_is_sampled_and_agrees():
    scan = probed(2.0, n=32)
    lazy = Scan(
        da.from_array(scan.patterns, chunks=(64, 64, 64)),
        positions_px=scan.positions_px,
        probe=scan.probe,
    )
    assert binning_report(lazy, 4).counts == pytest.approx(binning_report(scan, 4).counts)
    assert binning_report(lazy, 4).memory_bytes == binning_report(scan, 4).memory_bytes


def test_masked_pixels_do_not_count():
    valid = np.ones((64, 64), bool)
    valid[:32] = False
    assert binning_report(probed(2.0, valid=valid), 4).counts[0] == 2048


def test_everything_in_one_bin_is_warned_of():
    report = binning_report(probed(0.1), 16)
    assert "single" not in " ".join(report.warnings)
    report = binning_report(probed(0.1), (16, 16))
    assert report.step[1] is None
    assert "Everything would become one single pattern." in report.warnings


def test_lines_and_json():
    report = binning_report(probed(2.0), 5)
    lines = report.lines()
    assert "Patterns   256 -> 64 (16 smaller)" in lines
    assert "Counts     4,096 -> 16,384 per pattern" in lines
    assert all(len(line) < 60 for line in lines)
    assert json.loads(json.dumps(report.as_dict()))["frames"] == [256, 64]


def test_a_second_report_is_quick():
    """It is live while the user turns a spin box."""
    positions = trajectories.raster(64, 64)
    patterns = np.ones((4096, 64, 64), np.uint16)
    scan = Scan(patterns, positions_px=positions, probe=gaussian(64, 6.0))
    binning_report(scan, 2)
    times = []
    for size in (3, (2, 2), (4, 4), 16, (8, 8)):
        began = time.process_time()
        binning_report(scan, size)
        times.append(time.process_time() - began)
    assert np.median(times) < 0.05
