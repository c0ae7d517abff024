import numpy as np
import pytest

from napari_ptycho import samples
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.prepare import first_guess
from napari_ptycho.samples import SampleOptions, open_sample, simulated, small_scan

SMALL = SampleOptions(lines=32, columns=32)


@pytest.fixture(scope="module")
def star():
    return simulated("siemens-star", SMALL)


def test_the_sample_is_the_fly_scan_it_says(star):
    scan, truth = star
    assert scan.geometry.energy_ev == 11_100
    steps = np.diff(scan.positions_m.reshape(32, 32, 2), axis=1)
    np.testing.assert_allclose(steps[..., 1], 25e-9)
    assert scan.patterns.sum(axis=(1, 2)).mean() == pytest.approx(200_000, rel=0.1)
    assert truth.object.shape == first_guess(scan).object.shape
    np.testing.assert_allclose(truth.positions_px, first_guess(scan).positions_px)


def test_the_simulated_star_comes_back_from_a_flat_object_and_the_optics(star):
    scan, truth = star
    start = first_guess(scan, 1, "optics")
    assert np.ptp(np.abs(start.object)) == 0
    result = run_to_end(reconstruct(scan, RpieOptions(epochs=20), start))
    area = illuminated(truth)
    found = align(truth.object.astype(complex), result.object.astype(complex), area)
    error_rad = np.sqrt((np.angle(found.image * truth.object.conj())[area] ** 2).mean())
    assert error_rad <= 0.05


def test_the_fibre_phantom_has_sheaths_and_cores():
    image = samples.fibres((168, 168))
    assert image.min() == 0
    assert image.max() == pytest.approx(0.9, abs=1e-3)
    assert 0.3 < (image > 0.1).mean() < 0.9
    assert ((image > 0.3) & (image < 0.4)).mean() > 0.05


def test_dose_is_an_option_and_noise_follows_it():
    low, high = (
        simulated("fibres", SampleOptions(lines=2, columns=8, photons=photons))[0]
        for photons in (1e3, 1e5)
    )
    assert high.patterns.sum() / low.patterns.sum() == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("name", ["fibres", "star"])
def test_the_small_scan_is_the_quick_one_it_says(name):
    scan, truth = small_scan(name, 2e3)
    assert scan.patterns.shape == (289, 64, 64)
    assert scan.name == name
    assert first_guess(scan).object.shape == truth.object.shape
    np.testing.assert_allclose(truth.positions_px, first_guess(scan).positions_px)
    windows = [truth.object[y : y + 64, x : x + 64] for y, x in truth.positions_px.astype(int)]
    waves = np.fft.fft2(truth.probe[0] * np.array(windows), norm="ortho")
    model = np.fft.fftshift(np.abs(waves) ** 2, axes=(1, 2))
    off = scan.patterns - model
    assert (off**2).sum() == pytest.approx(model.sum(), rel=0.05)  # Poisson noise alone
    assert 0.5 < np.ptp(np.angle(truth.object)) < 0.61


def test_photons_and_seed_of_the_small_scan_matter():
    counts = [
        small_scan("star", photons, seed)[0].patterns.sum() / 289
        for photons, seed in ((2e3, 0), (4e3, 0))
    ]
    assert counts[1] / counts[0] == pytest.approx(2, rel=0.01)
    assert 0.8 * 2e3 < counts[0] <= 2.05e3
    first, same, other = (small_scan("star", seed=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.patterns, same.patterns)
    assert (first.in_pixels() != other.in_pixels()).any()
    with pytest.raises(OptionsError, match="moon"):
        small_scan("moon")


def test_an_unknown_sample_is_refused():
    with pytest.raises(OptionsError, match="no sample is called 'moon'; there is siemens-real"):
        open_sample("moon")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A machine without the data folder, with an empty cache."""
    monkeypatch.delenv("NAPARI_PTYCHO_DATA", raising=False)
    monkeypatch.setattr(samples, "data_folders", lambda: ())
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)


def test_only_a_clone_looks_beside_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_PTYCHO_DATA", str(tmp_path))
    assert [folder.name for folder in samples.data_folders()] == [tmp_path.name, "data"]
    installed = tmp_path / "lib" / "site-packages" / "napari_ptycho" / "samples.py"
    monkeypatch.setattr(samples, "__file__", str(installed))
    assert samples.data_folders() == (tmp_path,)
    monkeypatch.delenv("NAPARI_PTYCHO_DATA")
    assert samples.data_folders() == ()


def test_without_a_network_the_way_out_is_named(alone, monkeypatch):
    def no_network(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("pooch.retrieve", no_network)
    with pytest.raises(
        FileError, match=r"could not be fetched \(ConnectionError\).*NAPARI_PTYCHO_DATA"
    ):
        open_sample("siemens-real")


def test_a_file_with_another_hash_is_refused(alone, monkeypatch, tmp_path):
    wrong = tmp_path / "wrong.bz2"
    wrong.write_bytes(b"something else")
    monkeypatch.setattr(samples, "REAL_URL", wrong.as_uri())
    with pytest.raises(FileError, match="could not be fetched"):
        open_sample("siemens-real")


@pytest.mark.real
def test_the_measured_star_is_found_in_the_data_folder(real_data, monkeypatch):
    monkeypatch.setenv("NAPARI_PTYCHO_DATA", str(real_data))
    scan = open_sample("siemens-real")
    assert len(scan) == 516
    assert scan.name == "siemens-real"
    assert scan.pixel_size_m is None
