"""What a layout names beside the frames: mask, dark, flat, monitor, energy, distance, pixel."""

import numpy as np
import pytest
from scipy.constants import c, e, h

from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout

N, H, W = 12, 32, 24


def said(**values):
    return Layout(**{"frames": "f", "positions": "p", "position_unit": "m", **values})


def has(notes, *parts):
    return any(all(part in note for part in parts) for note in notes)


@pytest.mark.parametrize(
    ("means", "values", "path", "told"),
    [
        ("1 good", [1, 0], "m", ""),
        ("1 bad", [0, 1], "m", ""),
        ("CXI bits", [0x1000, 0x1001], "m", ""),
        ("NX bits", [0x80000000, 0x80000001], "m", ""),
        ("auto", [1, 0], "m", "1 = good"),
        ("auto", [0, 1], "m", "1 = bad"),
        ("auto", [0, 8], "m", "the bits of NeXus"),
        ("auto", [0x1000, 4], "d/detector_1/mask", "the bits of CXI"),
        ("auto", [0, 1], "bad_pixels", "1 = bad"),
    ],
)
def test_what_a_mask_means(made, means, values, path, told):
    mask = np.full((H, W), values[0], np.uint32)
    mask[2, 3] = mask[20, 7] = values[1]
    expected = np.ones((H, W), bool)
    expected[2, 3] = expected[20, 7] = False
    scan = read_scan(made({path: mask}), layout=said(mask=path, mask_means=means))
    np.testing.assert_array_equal(scan.valid, expected)
    assert scan.sources["valid"] == f"file: /{path}"
    assert has(scan.notes, "own mask marks 0.260% of the pixels as bad.")
    assert has(scan.notes, "was read as", told) == bool(told)


def test_a_mask_that_marks_most_asks_whether_it_is_inverted(made):
    mask = np.zeros((H, W), np.uint8)
    mask[0] = 1
    scan = read_scan(made({"m": mask}), layout=said(mask="m", mask_means="1 good"))
    assert has(scan.notes, "marks 96.875% of the pixels as bad; is the mask inverted?")


def test_a_mask_of_another_shape_is_refused(made):
    with pytest.raises(ScanError, match=r"'m' has shape \(3, 3\) but the frames are 32 x 24"):
        read_scan(made({"m": np.ones((3, 3))}), layout=said(mask="m"))


@pytest.mark.parametrize("lazy", [False, True])
def test_dark_and_flat(made, counts, rng, lazy):
    dark = rng.integers(0, 3, (4, H, W))
    flat = rng.uniform(0.8, 1.25, (H, W))
    flat[5, 6] = 0
    path = made({"d": dark, "w": flat})
    limit = 0 if lazy else 2**30
    scan = read_scan(path, layout=said(dark="d", flat="w"), lazy_above_bytes=limit)
    assert scan.is_lazy == lazy
    assert scan.patterns.dtype == np.float32
    mean = dark.mean(axis=0)
    with np.errstate(divide="ignore"):
        expected = (counts - mean) / flat
    good = np.broadcast_to((counts >= mean) & (flat > 0), counts.shape)
    np.testing.assert_array_equal(np.asarray(scan.valid), good)
    np.testing.assert_allclose(np.asarray(scan.patterns)[good], expected[good], rtol=1e-5)
    assert (np.asarray(scan.patterns)[~good] == 0).all()
    lost = (counts < mean)[:, flat > 0].sum() / counts.size
    assert 0.05 < lost < 0.9
    assert has(
        scan.notes,
        "The dark frame was subtracted and the frames were divided by the flat field; "
        f"{lost:.2%} of the pixels",
        "became negative and were masked frame by frame.",
    )
    assert has(scan.notes, "The mean of the 4 frames in d was taken.")
    assert (scan.sources["dark"], scan.sources["flat"]) == ("file: /d", "file: /w")
    assert scan.sources["valid"] == "file: dark frame and flat field"


def test_a_dark_frame_that_never_wins_masks_nothing(made, counts):
    scan = read_scan(made({"d": np.zeros((H, W))}), layout=said(dark="d"))
    np.testing.assert_array_equal(scan.patterns, counts)
    assert scan.valid.shape == (H, W)
    assert scan.valid.all()
    assert has(scan.notes, "The dark frame was subtracted; 0.00% of the pixels became negative")


def test_the_dark_frame_is_off_before_zero_frequency_is_looked_for(made, counts):
    dark = np.zeros((H, W))
    dark[:6, :6] = dark[-6:, :6] = dark[:6, -6:] = dark[-6:, -6:] = 5000
    path = made({"g": counts + dark.astype(int), "d": dark})
    assert has(read_scan(path, layout=said(frames="g")).notes, "corner and was moved")
    scan = read_scan(path, layout=said(frames="g", dark="d"))
    np.testing.assert_array_equal(scan.patterns, counts)


def test_a_flat_field_in_counts_is_divided_by_its_median(made, counts):
    flat = np.full((H, W), 1000.0)
    flat[3] = 2000
    scan = read_scan(made({"w": flat}), layout=said(flat="w"))
    np.testing.assert_allclose(scan.patterns, counts / (flat / 1000), rtol=1e-6)
    assert has(scan.notes, "The flat field was divided by its median, 1000.")


def test_dark_and_flat_that_do_not_fit_are_refused(made):
    path = made({"d": np.zeros((H, H)), "w": np.zeros((H, W)), "t": "text"})
    with pytest.raises(ScanError, match=r"'d' has shape \(32, 32\) but the frames are 32 x 24"):
        read_scan(path, layout=said(dark="d"))
    with pytest.raises(ScanError, match="the flat field is nowhere positive"):
        read_scan(path, layout=said(flat="w"))
    with pytest.raises(ScanError, match="'t' is object; need real numbers"):
        read_scan(path, layout=said(dark="t"))


def test_the_monitor_is_the_exposure_and_leaves_out_dim_frames(made, counts, positions):
    monitor = np.linspace(90, 110, N)
    monitor[4] = 1
    scan = read_scan(made({"i0": monitor}), layout=said(monitor="i0"))
    keep = np.arange(N) != 4
    np.testing.assert_array_equal(scan.patterns, counts[keep])
    np.testing.assert_allclose(scan.positions_m, positions[keep])
    np.testing.assert_allclose(scan.exposure / scan.exposure[0], monitor[keep] / 90)


@pytest.mark.parametrize("lazy", [False, True])
def test_bad_values_are_masked(made, counts, lazy):
    stored = counts.astype(np.int32)
    stored[:, 4, 5] = 1023
    stored[3, 9, 9] = -2
    path = made({"g": stored})
    limit = 0 if lazy else 2**30
    scan = read_scan(path, layout=said(frames="g", bad_values="1023, -2"), lazy_above_bytes=limit)
    bad = np.zeros(counts.shape, bool)
    bad[:, 4, 5] = bad[3, 9, 9] = True
    np.testing.assert_array_equal(np.broadcast_to(np.asarray(scan.valid), bad.shape), ~bad)
    np.testing.assert_array_equal(np.asarray(scan.patterns), np.where(bad, 0, counts))
    assert has(scan.notes, "Dead-pixel codes", "1023", "-2")
    with pytest.raises(
        OptionsError, match=r"layout\.bad_values is '1,x'; need numbers with commas"
    ):
        read_scan(path, layout=said(frames="g", bad_values="1,x"))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_amplitudes_that_are_told_are_squared(made, counts, dtype, lazy):
    stored = np.minimum(counts, 15).astype(dtype) * (1 if dtype is np.uint8 else 0.37)
    stored = stored.astype(dtype)
    limit = 0 if lazy else 2**30
    layout = said(frames="g", values="amplitude")
    scan = read_scan(made({"g": stored}), layout=layout, lazy_above_bytes=limit)
    expected = stored.astype(np.float64) ** 2
    np.testing.assert_allclose(np.asarray(scan.patterns), expected, rtol=1e-6)
    assert has(scan.notes, "The values were taken as amplitudes, as you say, and were squared.")


def test_intensities_that_look_like_amplitudes(made, counts):
    stored = np.sqrt(counts)
    scan = read_scan(made({"g": stored}), layout=said(frames="g", values="intensity"))
    np.testing.assert_allclose(scan.patterns, stored)
    assert has(scan.notes, "taken as intensities, as you say, although their squares are whole")


def test_zero_frequency_where_it_is_told(made, counts):
    corner = np.fft.ifftshift(counts, axes=(1, 2))
    path = made({"g": corner})
    middle = read_scan(path, layout=said(frames="g", zero_frequency="middle"))
    np.testing.assert_array_equal(middle.patterns, corner)
    moved = read_scan(path, layout=said(frames="g", zero_frequency="corner"))
    np.testing.assert_array_equal(moved.patterns, counts)
    assert has(moved.notes, "from the corner, where you say it is, to the middle")
    near = said(frames="g", zero_frequency="corner")
    images = read_scan(path, {"propagation": "near"}, layout=near)
    np.testing.assert_array_equal(images.patterns, counts)


@pytest.mark.parametrize(
    ("value", "units", "unit", "ev", "note"),
    [
        (8.5, "keV", "auto", 8500, ""),
        (8500.0, "", "auto", 8500, "energy = 8500 was taken as eV."),
        (8.5, "", "auto", 8500, "energy = 8.5 was taken as keV."),
        (8500 * e, "", "auto", 8500, "was taken as J."),
        (8.5, "eV", "keV", 8500, ""),
        (0.15, "nm", "auto", h * c / e / 0.15e-9, ""),
        (1.5, "", "A", h * c / e / 1.5e-10, ""),
        (0.0, "keV", "auto", None, "energy = 0 keV is no energy; not used."),
        (6.0, "GeV", "auto", None, "energy = 6 GeV is no energy; not used."),
        (8.5, "furlong", "auto", None, "energy = 8.5 furlong is no energy; not used."),
        (np.nan, "", "auto", None, "energy = nan is no energy; not used."),
    ],
)
def test_energy(made, value, units, unit, ev, note):
    path = made({"energy": value}, {"energy": units} if units else None)
    scan = read_scan(path, layout=said(energy="energy", energy_unit=unit))
    assert scan.geometry.energy_ev == (None if ev is None else pytest.approx(ev))
    assert scan.sources["energy_ev"] == ("unknown" if ev is None else "file: /energy")
    assert has(scan.notes, note) if note else not has(scan.notes, "energy")


def test_electrons_have_other_energies(made):
    path = made({"kv": 300.0})
    scan = read_scan(path, {"particle": "electron"}, layout=said(energy="kv"))
    assert scan.geometry.energy_ev == 300e3
    assert has(scan.notes, "kv = 300 was taken as keV.")


@pytest.mark.parametrize(
    ("value", "units", "unit", "name", "metres", "note"),
    [
        (2.0, "m", "auto", "z", 2, ""),
        (2000.0, "mm", "auto", "z", 2, ""),
        (2000.0, "", "auto", "z", 2, "z = 2000 was taken as mm."),
        (1.5, "", "auto", "z", 1.5, "z = 1.5 was taken as m."),
        (1500.0, "", "auto", "z_mm", 1.5, ""),
        (-1500.0, "mm", "auto", "z", 1.5, "z is negative (-1500); its size is used."),
        (5.0, "", "cm", "z", 0.05, ""),
        (0.0, "m", "auto", "z", None, "z = 0 m is no distance; not used."),
    ],
)
def test_distance(made, value, units, unit, name, metres, note):
    path = made({name: np.float32(value)}, {name: units} if units else None)
    scan = read_scan(path, layout=said(distance=name, distance_unit=unit))
    assert scan.geometry.distance_m == (
        None if metres is None else pytest.approx(metres, rel=1e-12)
    )
    assert has(scan.notes, note) if note else not has(scan.notes, f"{name} ")


@pytest.mark.parametrize(
    ("value", "units", "pixel", "note"),
    [
        (55e-6, "", (55e-6, 55e-6), "psize = 5.5e-05 was taken as m."),
        ([55.0, 75.0], "", (55e-6, 75e-6), "psize = 75 was taken as um."),
        (0.055, "", (55e-6, 55e-6), "psize = 0.055 was taken as mm."),
        (75.0, "um", (75e-6, 75e-6), ""),
        ([], "", None, "psize = nothing is no detector pixel; not used."),
    ],
)
def test_detector_pixel(made, value, units, pixel, note):
    path = made({"psize": value}, {"psize": units} if units else None)
    scan = read_scan(path, layout=said(detector_pixel="psize"))
    found = scan.geometry.detector_pixel_m
    assert found == (None if pixel is None else pytest.approx(pixel))
    assert has(scan.notes, note) if note else not has(scan.notes, "psize")


def test_the_caller_wins_over_the_file(made):
    path = made({"energy": 8.5, "z": 2.0})
    scan = read_scan(path, {"energy_ev": 9000}, layout=said(energy="energy", distance="z"))
    assert scan.geometry.energy_ev == 9000
    assert (scan.sources["energy_ev"], scan.sources["distance_m"]) == ("user", "file: /z")
