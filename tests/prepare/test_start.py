from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho.errors import ScanError
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.physics import simulate
from napari_ptycho.prepare import Optics, first_guess
from napari_ptycho.prepare.start import fit_modes

GEOMETRY = Geometry(11_100.0, 3.8, (75e-6, 75e-6))


@pytest.fixture
def scan():
    y, x = np.indices((64, 64)) - 32
    probe = np.exp(-(y**2 + x**2) / 80)
    positions = np.stack(np.meshgrid(np.arange(4) * 5.5, np.arange(3) * 6.0, indexing="ij"), -1)
    return simulate(
        np.ones((90, 90)), probe, positions.reshape(-1, 2), photons=5000, geometry=GEOMETRY
    )


def power(result):
    return (np.abs(result.probe) ** 2).sum()


def test_every_window_lies_inside_a_flat_object_at_the_scans_distances(scan):
    start = first_guess(scan)
    assert np.ptp(np.abs(start.object)) == 0
    np.testing.assert_allclose(np.ptp(start.positions_px, axis=0), [16.5, 12.0])
    low, high = start.positions_px.min(axis=0), start.positions_px.max(axis=0) + 64
    assert (low >= 2).all()
    assert (high + 2 <= start.object.shape).all()
    assert start.pixel_size_m == scan.pixel_size_m


@pytest.mark.parametrize("probe", ["file", "optics", "mean pattern"])
def test_the_probe_holds_the_photons_of_a_frame(probe, scan):
    start = first_guess(scan, 1, probe)
    assert power(start) == pytest.approx(scan.patterns.sum(axis=(1, 2)).mean(), rel=1e-3)
    assert start.provenance["start"] == f"flat object, probe from {probe}"


def test_auto_takes_the_file_and_else_the_mean_pattern(scan):
    assert first_guess(scan).provenance["start"].endswith("file")
    bare = replace(scan, probe=None)
    assert first_guess(bare).provenance["start"].endswith("mean pattern")
    with pytest.raises(ScanError, match="it has no probe"):
        first_guess(bare, 1, "file")


def test_the_mean_pattern_gives_the_focus_of_its_beam(scan):
    start = first_guess(scan, 1, "mean pattern")
    seen = np.abs(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(start.probe[0]), norm="ortho"))) ** 2
    np.testing.assert_allclose(seen, scan.patterns.mean(axis=0), rtol=1e-2, atol=1e-2)


def test_masked_light_counts_for_the_photons(scan):
    valid = np.ones(scan.frame_shape, bool)
    valid[32, :] = False
    hidden = replace(scan, valid=valid)
    assert power(first_guess(hidden)) == pytest.approx(power(first_guess(scan)), rel=0.02)


def test_optics_make_the_probe_that_their_numbers_say(scan):
    sharp, wide = (first_guess(scan, 1, "optics", Optics(defocus_mm=mm)) for mm in (0.0, 3.0))

    def area(start):
        light = np.abs(start.probe[0]) ** 2
        return light.sum() ** 2 / (light**2).sum()

    assert area(wide) > 20 * area(sharp)


def test_optics_need_a_known_scale(scan):
    unknown = Scan(scan.patterns, positions_px=scan.in_pixels(), probe=scan.probe)
    with pytest.raises(ScanError, match="needs energy, distance and detector pixel"):
        first_guess(unknown, 1, "optics")
    with pytest.raises(ScanError, match="object pixel size is unknown"):
        first_guess(replace(scan, geometry=Geometry()))


def test_an_empty_scan_is_refused(scan):
    dark = replace(scan, patterns=np.zeros_like(scan.patterns))
    with pytest.raises(ScanError, match="mean pattern is empty"):
        first_guess(dark, 1, "mean pattern")


@pytest.mark.parametrize("modes", [2, 4, 8])
def test_seeded_modes_are_orthogonal_weak_and_keep_the_power(modes, scan):
    one = first_guess(scan)
    many = fit_modes(one, modes)
    assert power(many) == pytest.approx(power(one), rel=1e-4)
    flat = many.probe.reshape(modes, -1)
    gram = np.abs(flat.conj() @ flat.T)
    assert gram[0, 0] > 20 * gram[1, 1] > 0
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-4 * gram[0, 0]
    fewer = fit_modes(many, 1)
    assert fewer.n_modes == 1
    assert power(fewer) == pytest.approx(power(one), rel=1e-4)


def test_the_near_field_starts_from_the_mean_pattern_carried_back(scan):
    near = Geometry(12_000.0, 0.5, (15e-6, 15e-6), "near", focus_to_sample_m=5e-3)
    there = simulate(
        np.ones((90, 90)), scan.probe[0], np.zeros((3, 2)), photons=1e6, geometry=near, seed=None
    )
    start = first_guess(replace(there, probe=None))
    assert power(start) == pytest.approx(1e6, rel=1e-3)
    bare = replace(there, probe=None, positions_px=np.zeros((3, 2)), positions_m=None)
    with pytest.raises(ScanError, match="needs energy_ev, distance_m and detector_pixel_m; give"):
        first_guess(replace(bare, geometry=Geometry(propagation="near")))
