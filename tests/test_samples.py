import numpy as np
import pytest

from napari_ptycho import samples
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.job import run_to_end
from napari_ptycho.physics.align import align, illuminated
from napari_ptycho.prepare import first_guess
from napari_ptycho.samples import SampleOptions, open_sample, simulated

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


def test_an_unknown_sample_is_refused():
    with pytest.raises(OptionsError, match="no sample is called 'moon'; there is siemens-real"):
        open_sample("moon")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A machine without the data folder, with an empty cache."""
    monkeypatch.delenv("NAPARI_PTYCHO_DATA", raising=False)
    monkeypatch.setattr(samples, "data_folders", lambda: ())
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)


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
