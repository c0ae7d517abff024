import socket
from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.networks import SimulationOptions, simulated_pairs
from napari_ptycho.networks.images import HELD_OUT, TAUGHT, image, read
from napari_ptycho.networks.simulated import OPTICS, cut, zone_plate

SMALL = SimulationOptions(patterns=90, size=32, photons=1e6, photons_least=1e6)


@pytest.fixture(scope="module")
def small():
    return simulated_pairs(SMALL)


@pytest.mark.parametrize("name", [*TAUGHT, *HELD_OUT])
def test_images_come_without_a_network_in_grey(name, monkeypatch):
    def refuse(*_):
        raise AssertionError("an image was to be fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    image.cache_clear()
    values = image(name)
    assert values.ndim == 2
    assert min(values.shape) > 150
    assert (values.min(), values.max()) == (0, 1)
    assert image(name) is values


def test_no_image_teaches_and_validates():
    assert not set(TAUGHT) & set(HELD_OUT)
    with pytest.raises(OptionsError, match="no image is called 'eagle'"):
        image("eagle")


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("away_mm", [-1.0, 0.0, 1.0])
def test_the_zone_plate_lights_the_middle_half(size, away_mm):
    optics = replace(OPTICS, defocus_mm=OPTICS.defocus_mm + away_mm)
    light = np.abs(zone_plate(size, optics)[0]) ** 2
    middle = slice(size // 4, -size // 4)
    assert light.sum() == pytest.approx(1)
    assert light[middle, middle].sum() > 0.9
    wide = np.abs(zone_plate(size, replace(OPTICS, defocus_mm=8.0))[0]) ** 2
    assert wide[middle, middle].sum() < 0.7  # the test can fail


def test_labels_are_what_the_patterns_were_made_of(small):
    """Noise of 1e6 photons and bilinear labels are all that may lie between."""
    numbers = np.array([small.training[0], small.training[-1], small.validation[0]])
    counts, labels = small.batch(numbers)
    ends = np.cumsum([len(source) for source in small.sources])
    for row, number in enumerate(numbers):
        owner = int(np.searchsorted(ends, number, side="right"))
        probe = small.sources[owner].probe[0] * np.sqrt(small.doses.mean() / small.doses[owner])
        wave = labels[row, 0] * np.exp(1j * labels[row, 1]) * probe * small.amplitude_scale
        made = np.abs(fft.fftshift(fft.fft2(wave, norm="ortho")))
        found = np.sqrt(counts[row])
        misfit, turned = np.abs(made - found).sum(), np.abs(made.T - found).sum()
        assert misfit < 0.05 * found.sum()
        assert turned > 2 * misfit  # the test can fail


@pytest.mark.parametrize(("overlap", "step"), [("75", 8), ("50", 16), ("25", 24), ("0", 32)])
def test_windows_overlap_as_asked(overlap, step):
    pairs = simulated_pairs(replace(SMALL, patterns=180, overlap=overlap, jitter_px=0.0))
    corners = pairs.sources[0].corners
    assert np.unique(np.diff(np.unique(corners[:, 0]))) == step
    assert np.unique(np.diff(np.unique(corners[:, 1]))) == step


def test_positions_jitter_by_fractions_within_the_limit():
    pairs = simulated_pairs(replace(SMALL, patterns=200, jitter_px=1.5))
    off = np.concatenate([source.corners - np.rint(source.corners) for source in pairs.sources])
    still = simulated_pairs(replace(SMALL, patterns=200, jitter_px=0.0))
    steps = [
        np.abs((one.corners - one.corners.mean(0)) - (two.corners - two.corners.mean(0))).max()
        for one, two in zip(pairs.sources, still.sources, strict=True)
    ]
    assert 0.25 < off.std() < 0.33  # uniform: 0.289
    assert 1.0 < max(steps) < 3.0


def test_doses_and_probes_differ_between_objects():
    wide = replace(SMALL, photons_least=1e4, photons=1e6, defocus_mm=2.0)
    sources = simulated_pairs(wide).sources
    doses = np.array([(np.abs(source.probe) ** 2).sum() for source in sources])
    assert doses.min() < 3e4
    assert doses.max() > 3e5
    widths = [source.light.sum() for source in sources]
    assert max(widths) > 1.5 * min(widths)
    counted = sources[0].counts(np.arange(len(sources[0]))).sum(axis=(1, 2)).mean()
    assert 0.2 * doses[0] < counted < 1.02 * doses[0]  # the object absorbs a part


def test_objects_stay_within_phase_and_absorption(small):
    pairs = simulated_pairs(replace(SMALL, phase_rad=0.5, absorption=0.2))
    for source in pairs.sources:
        phase = np.angle(source.object)
        assert np.ptp(phase) <= 0.5 + 1e-3
        assert np.abs(source.object).min() >= 0.8 - 1e-3
        assert abs(np.angle(source.object.sum())) < 1e-3
    assert max(np.ptp(np.angle(source.object)) for source in pairs.sources) > 0.3


def test_exactly_as_many_as_asked_and_a_tenth_validates(small):
    assert len(small) == len(small.training) + len(small.validation) == 90
    assert 0.05 < len(small.validation) / 90 < 0.2
    least = simulated_pairs(replace(SMALL, patterns=16, size=16))
    assert len(least) == 16
    assert len(least.validation) >= 1


def test_held_out_images_validate(small):
    ends = np.cumsum([len(source) for source in small.sources])

    def of(numbers):
        return {small.sources[owner].name for owner in np.searchsorted(ends, numbers, side="right")}

    names = of(small.validation)
    assert names
    assert all(word.split(" (")[0] in HELD_OUT for name in names for word in name.split(", "))
    assert not any(held in name for name in of(small.training) for held in HELD_OUT)


def test_the_seed_says_it_all(small):
    same, other = simulated_pairs(SMALL), simulated_pairs(replace(SMALL, seed=1))
    numbers = np.arange(90)
    for one, two in zip(small.batch(numbers), same.batch(numbers), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (small.batch(numbers)[0] != other.batch(numbers)[0]).mean() > 0.1


def test_a_given_probe_is_used_for_all(rng):
    probe = np.zeros((2, 32, 32), np.complex64)
    probe[0, 12:20, 12:20] = 1
    probe[1, 14:18, 14:18] = 0.5j
    pairs = simulated_pairs(SMALL, probe)
    np.testing.assert_array_equal(pairs.probe, probe)
    for source in pairs.sources:
        scale = source.probe[0, 15, 15]
        np.testing.assert_allclose(source.probe, probe * scale, rtol=1e-5)
    assert simulated_pairs(SMALL, probe[0]).probe.shape == (1, 32, 32)
    assert simulated_pairs(SMALL).probe is None
    with pytest.raises(OptionsError, match="to be 32 x 32"):
        simulated_pairs(SMALL, probe[:, :16])
    with pytest.raises(OptionsError, match="must not be larger"):
        simulated_pairs(replace(SMALL, photons_least=1e7))


def test_sources_are_learnt_as_if_all_had_one_dose():
    wide = replace(SMALL, patterns=640, size=16, photons_least=1e3, photons=1e6, defocus_mm=0.0)
    pairs = simulated_pairs(wide)
    doses = [(np.abs(source.probe) ** 2).sum() for source in pairs.sources]
    assert max(doses) > 20 * min(doses)
    starts = np.cumsum([0, *(len(source) for source in pairs.sources)])
    for source, start, dose in zip(pairs.sources, starts, doses, strict=False):
        counts, _ = pairs.batch(np.arange(start, start + len(source)))
        raw = source.counts(np.arange(len(source)))
        np.testing.assert_allclose(counts, raw * np.mean(doses) / dose, rtol=1e-4)


def test_cuts_span_the_grey_values(rng):
    for name in ("moon", "text"):
        part = cut(image(name), 100, rng)
        assert part.shape == (100, 100)
        assert (part.min(), part.max()) == (0, 1)


def test_own_images_make_the_objects_and_the_last_validate(rng):
    flat = {f"half {k}": np.pad(np.ones((60, 30)), ((0, 0), (0, 30 + k))) for k in range(10)}
    pairs = simulated_pairs(SMALL, images=flat)
    assert pairs.about["images"] == [f"half {k}" for k in range(9)]
    assert "half 9" in pairs.about["split"]
    assert all("half 9" in pairs.sources[owner].name for owner in (-1,))
    with pytest.raises(OptionsError, match="need at least 3"):
        simulated_pairs(SMALL, images={"one": np.eye(60)})


def test_an_image_file_is_read_in_grey(tmp_path, rng):
    from skimage.io import imsave

    values = rng.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    imsave(tmp_path / "colour.png", values)
    grey = read(tmp_path / "colour.png")
    assert grey.shape == (20, 30)
    assert (grey.min(), grey.max()) == (0, 1)
    luminance = values @ np.array([0.2125, 0.7154, 0.0721])
    assert np.corrcoef(grey.ravel(), luminance.ravel())[0, 1] > 0.999
    (tmp_path / "no.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    imsave(tmp_path / "flat.png", np.full((8, 8), 7, np.uint8), check_contrast=False)
    for name in ("no.png", "flat.png", "absent.png"):
        with pytest.raises(FileError, match=name):
            read(tmp_path / name)
