"""Turning frames: against numpy's own turns, Fourier optics, and the group's multiplication."""

from itertools import product

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.errors import OptionsError
from napari_ptycho.model import Geometry, Scan
from napari_ptycho.prepare import orient
from napari_ptycho.prepare.orientation import CODES, classes, compose, inverse, turned

ELECTRONS = Geometry(80e3, particle="electron", detector_pixel_rad=(1e-3, 2e-3))
NEAR = Geometry(12e3, 0.5, (10e-6, 20e-6), "near")


def a_scan(rng, shape=(6, 8), geometry=ELECTRONS, **more):
    n = 5
    given = {
        "patterns": rng.integers(0, 50, (n, *shape)).astype(np.uint16),
        "positions_m": rng.normal(size=(n, 2)),
        "valid": rng.random(shape) > 0.2,
        "probe": rng.normal(size=(2, *shape)) + 1j * rng.normal(size=(2, *shape)),
        "geometry": geometry,
    }
    return Scan(**{**given, **more})


class Source:
    """Frames that tell what is read of them. (dask copies what it can; a class stays one.)"""

    ndim = 3

    def __getitem__(self, key):
        block = self.frames[key]
        self.read.append(1 if block.ndim == 2 else len(block))
        return block


def intensity(wave):
    """Far field of a window (H, W) in real space, zero frequency in the middle."""
    return np.abs(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(wave)))) ** 2


def ptypy(frame, code):
    """Transpose, then flip rows, then flip columns."""
    frame = frame.T if code & 4 else frame
    frame = frame[::-1] if code & 2 else frame
    return frame[:, ::-1] if code & 1 else frame


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (6, 7)])
def test_far_field_frames_turn_as_the_sample_does(code, shape, rng):
    wave = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    np.testing.assert_allclose(
        turned(intensity(wave), code), intensity(turned(wave, code)), rtol=1e-9
    )


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (8, 5)])
def test_zero_frequency_stays_in_the_middle(code, shape):
    frame = np.zeros(shape)
    frame[shape[0] // 2, shape[1] // 2] = 1
    there = np.argwhere(turned(frame, code))[0]
    assert there.tolist() == [side // 2 for side in turned(frame, code).shape]


@pytest.mark.parametrize("code", CODES)
def test_odd_and_near_field_frames_are_simply_flipped(code, rng):
    odd, even = rng.random((5, 7)), rng.random((4, 6))
    np.testing.assert_array_equal(turned(odd, code), ptypy(odd, code))
    np.testing.assert_array_equal(turned(even, code, near=True), ptypy(even, code))


def test_an_even_far_field_flip_moves_frequencies_to_their_negatives():
    frequency = np.arange(-3, 3)[None, :] + np.zeros((4, 1))
    assert turned(frequency, 1)[0].tolist() == [-3, 2, 1, 0, -1, -2]


@pytest.mark.parametrize("geometry", [ELECTRONS, NEAR])
def test_codes_compose_as_a_group(geometry, rng):
    scan = a_scan(rng, geometry=geometry)
    for first, second in product(CODES, CODES):
        twice, once = orient(orient(scan, first), second), orient(scan, compose(first, second))
        np.testing.assert_array_equal(twice.patterns, once.patterns)
        np.testing.assert_array_equal(twice.valid, once.valid)
        np.testing.assert_array_equal(twice.probe, once.probe)
        assert twice.geometry == once.geometry
    for code in CODES:
        np.testing.assert_array_equal(
            orient(orient(scan, code), inverse(code)).patterns, scan.patterns
        )
    assert [inverse(code) for code in CODES] == [0, 1, 2, 3, 4, 6, 5, 7]


def test_everything_of_the_frames_turns_and_positions_stay(rng):
    scan = a_scan(rng)
    new = orient(scan, 5)
    assert new.frame_shape == (8, 6)
    np.testing.assert_array_equal(new.patterns[3], turned(scan.patterns[3], 5))
    np.testing.assert_array_equal(new.valid, turned(scan.valid, 5))
    np.testing.assert_array_equal(new.probe[1], turned(scan.probe[1], 5))
    np.testing.assert_array_equal(new.positions_m, scan.positions_m)
    assert new.geometry.detector_pixel_rad == (2e-3, 1e-3)
    assert new.pixel_size_m == pytest.approx(scan.pixel_size_m[::-1])
    assert new.notes == (
        "The frames were turned: transposed, then flipped left-right (orientation 5).",
    )
    assert orient(scan, 0) is scan
    near = orient(a_scan(rng, geometry=NEAR), 4)
    assert near.geometry.detector_pixel_m == (20e-6, 10e-6)


def test_positions_in_pixels_keep_their_length_where_pixels_are_exchanged(rng):
    """Object pixels are 1/(6 x 1) high and 1/(8 x 2) wide; transposed 1/(8 x 2) and 1/(6 x 1)."""
    at = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 4.0], [0, 0], [0, 0]])
    scan = a_scan(rng, positions_m=None, positions_px=at)
    new = orient(scan, 4)
    np.testing.assert_allclose(new.positions_px, at * [16 / 6, 6 / 16])
    np.testing.assert_allclose(
        new.positions_px * new.pixel_size_m, scan.positions_px * scan.pixel_size_m
    )
    square = a_scan(rng, (6, 6), Geometry(), positions_m=None, positions_px=at)
    np.testing.assert_array_equal(orient(square, 7).positions_px, at)


@pytest.mark.parametrize("stack", [False, True])
def test_a_lazy_scan_stays_lazy_and_reads_single_frames(stack, rng):
    scan = a_scan(rng, valid=rng.random((5, 6, 8)) > 0.2 if stack else None)
    Source.frames, Source.read = scan.patterns, []
    Source.shape, Source.dtype = scan.patterns.shape, scan.patterns.dtype
    frames = da.from_array(Source(), chunks=(4, 6, 8), meta=np.empty((0, 0, 0)))
    valid = da.from_array(scan.valid, chunks=(2, 6, 8)) if stack else None
    lazy = orient(a_scan(rng, patterns=frames, valid=valid), 6)
    assert lazy.is_lazy
    assert Source.read == []
    np.testing.assert_array_equal(np.asarray(lazy.patterns[2]), turned(scan.patterns[2], 6))
    assert Source.read == [1]
    np.testing.assert_array_equal(np.asarray(lazy.patterns), turned(scan.patterns, 6))
    np.testing.assert_array_equal(
        np.asarray(lazy.patterns[1:5, 2]), lazy.patterns.compute()[1:5, 2]
    )
    if stack:
        np.testing.assert_array_equal(np.asarray(lazy.valid), turned(np.asarray(scan.valid), 6))


def test_the_far_field_knows_four_classes_and_the_near_field_eight(rng):
    """A frame flipped both ways is that of the conjugate of probe and object."""
    assert classes("far") == ((0, 3), (1, 2), (4, 7), (5, 6))
    assert classes("near") == tuple((code,) for code in range(8))
    wave = rng.normal(size=(6, 8)) + 1j * rng.normal(size=(6, 8))
    np.testing.assert_allclose(turned(intensity(wave), 3), intensity(wave.conj()), rtol=1e-9)


@pytest.mark.parametrize("code", [8, -1, 1.0, True, "1"])
def test_other_codes_are_refused(code, rng):
    with pytest.raises(OptionsError, match="must be a whole number from 0 to 7"):
        orient(a_scan(rng), code)
