"""What engines found beside object and probe, in our file and for Ptychodus."""

import dataclasses

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, ScanError
from napari_ptycho.io import read_reconstruction, write_reconstruction
from napari_ptycho.io.formats.extras import ATTRIBUTE_BYTES, GROUP
from napari_ptycho.model.reconstruction import EXTRAS
from tests.io.test_product import assert_same, foreign, made_of, write_foreign


def noise(rng, *shape):
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


@pytest.fixture
def rich(rng):
    """A reconstruction of 7 frames and 3 modes with every extra."""
    extras = {
        "frame_errors": rng.random(7),
        "position_moves_px": rng.normal(size=(7, 2)),
        "flux": rng.random(7).astype(np.float32),
        "background": rng.random((8, 6)).astype(np.float32),
        "variations": noise(rng, 2, 3, 8, 6),
        "variation_weights": noise(rng, 7, 2),
        "past_outputs": rng.random((2, 1, 5, 4)).astype(np.float16),
        "spread": rng.random((5, 4)).astype(np.float32),
    }
    assert set(extras) == set(EXTRAS)
    return made_of(rng, errors=(0.5,), extras=extras, pixel_size_m=(1e-8, 2e-8))


@pytest.fixture
def path(rich, tmp_path):
    write_reconstruction(rich, tmp_path / "result.h5")
    return tmp_path / "result.h5"


def changed(path, name, value):
    """Put another dataset in place of one of a file."""
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value


def test_all_extras_come_back(rich, path):
    assert_same(rich, read_reconstruction(path))


@pytest.mark.parametrize("left_out", [*EXTRAS, None])
def test_some_extras_come_back(rich, tmp_path, left_out):
    pair = {"variations", "variation_weights"}
    gone = pair if left_out in pair else {left_out}
    extras = {name: value for name, value in rich.extras.items() if name not in gone}
    some = dataclasses.replace(rich, extras=extras)
    write_reconstruction(some, tmp_path / "some.h5")
    assert_same(some, read_reconstruction(tmp_path / "some.h5"))


def test_real_weights_need_half_the_modes(rich, tmp_path):
    weights = rich.extras["variation_weights"].real.astype(np.complex64)
    real = dataclasses.replace(rich, extras={**rich.extras, "variation_weights": weights})
    write_reconstruction(real, tmp_path / "real.h5")
    with h5py.File(tmp_path / "real.h5") as file:
        assert file["probe"].shape == (3, 3, 8, 6)
    assert_same(real, read_reconstruction(tmp_path / "real.h5"))


def seen_by_ptychodus(path, frame):
    """The probe of a frame as Ptychodus' `ProbeSequence` computes it, with its own checks."""
    with h5py.File(path) as file:
        modes, weights = file["probe"][()], file["probe"].attrs["opr_weights"]
        np.testing.assert_array_equal(weights, file["opr_weights"][()])
    assert np.issubdtype(weights.dtype, np.floating)
    assert weights.shape[1] == modes.shape[0]
    probe = modes[0].copy()
    probe[0] = np.tensordot(weights[frame], modes[:, 0], axes=1)
    return probe


def test_ptychodus_sees_the_probe_of_every_frame(rich, path):
    shapes, weights = rich.extras["variations"], rich.extras["variation_weights"]
    for frame in range(7):
        found = seen_by_ptychodus(path, frame)
        expected = rich.probe[0] + np.tensordot(weights[frame], shapes[:, 0], axes=1)
        np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(found[1:], rich.probe[1:])


@pytest.mark.parametrize("suffix", ["h5", "npz"])
def test_what_ptychodus_sees_is_what_we_read(rng, tmp_path, suffix):
    one, values = foreign(rng)
    modes, weights = noise(rng, 4, 3, 8, 6), rng.normal(size=(2, 4))
    path = tmp_path / f"theirs.{suffix}"
    write_foreign(path, values | {"probe": modes, "probe_opr_weights": weights})
    back = read_reconstruction(path)
    shapes, own = back.extras["variations"], back.extras["variation_weights"]
    np.testing.assert_allclose((np.abs(shapes) ** 2).sum(axis=(1, 2, 3)), 1, rtol=1e-5)
    for frame in range(2):
        found = back.probe + np.einsum("k,kmyx->myx", own[frame], shapes)
        expected = modes[0].copy()
        expected[0] = np.tensordot(weights[frame], modes[:, 0], axes=1)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(back.object, one.object)


def test_steady_first_weights_are_no_variation(rng, tmp_path):
    _, values = foreign(rng)
    weights = np.stack([np.ones(2), [0.5, -0.5]], axis=1)
    more = {"probe": noise(rng, 2, 3, 8, 6), "probe_opr_weights": weights}
    write_foreign(tmp_path / "theirs.h5", values | more)
    assert read_reconstruction(tmp_path / "theirs.h5").extras["variations"].shape == (1, 3, 8, 6)


def test_many_frames_do_not_fit_into_an_attribute(rng, tmp_path):
    n = ATTRIBUTE_BYTES // 16 + 1
    extras = {"variations": noise(rng, 1, 3, 8, 6), "variation_weights": noise(rng, n, 1)}
    many = made_of(rng, positions=np.zeros((n, 2)), extras=extras)
    write_reconstruction(many, tmp_path / "many.h5")
    assert_same(many, read_reconstruction(tmp_path / "many.h5"))


def test_an_extra_of_a_newer_version_is_a_note(rich, path):
    changed(path, f"{GROUP}/coherence_map", np.zeros((3, 3)))
    back = read_reconstruction(path)
    assert set(back.extras) == set(rich.extras)
    assert "'coherence_map', which this version does not know" in back.provenance["notes"][0]


def test_files_of_before_the_extras_are_read(rng, tmp_path):
    plain = made_of(rng)
    write_reconstruction(plain, tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "a") as file:
        assert GROUP not in file
        text = file["napari_ptycho"].asstr()[()].replace(', "variations": 0', "")
        del file["napari_ptycho"]
        file["napari_ptycho"] = text
    assert_same(plain, read_reconstruction(tmp_path / "old.h5"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("frame_errors", np.zeros(6), "frame_errors has shape (6,); need (N,)"),
        ("frame_errors", np.zeros((7, 1)), "frame_errors has shape (7, 1)"),
        ("frame_errors", np.array([b"a"] * 7), "frame_errors is |S1 of shape (7,); need (N,)"),
        ("position_moves_px", np.zeros((7, 3)), "position_moves_px has shape (7, 3)"),
        ("position_moves_px", np.zeros((7, 2), complex), "position_moves_px is complex128"),
        ("flux", np.full(7, np.nan), "flux holds 7 values that are not finite"),
        ("flux", np.zeros(()), "flux has shape ()"),
        ("background", np.zeros((6, 8)), "background has shape (6, 8); need (h, w)"),
        ("background", h5py.Empty("f4"), "background is float32 of shape None"),
    ],
)
def test_hostile_extras_are_refused_in_a_sentence(path, name, value, sentence):
    changed(path, f"{GROUP}/{name}", value)
    with pytest.raises(FileError) as caught:
        read_reconstruction(path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("result.h5: ")


def test_a_huge_extra_is_refused_before_it_is_read(path):
    with h5py.File(path, "a") as file:
        del file[f"{GROUP}/background"]
        file.create_dataset(f"{GROUP}/background", (10**6, 10**6), "f8", chunks=(1000, 1000))
    with pytest.raises(FileError, match=r"background is float64 of shape \(1000000, 1000000\)"):
        read_reconstruction(path)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (np.ones((7, 4)), "opr_weights is float64 of shape (7, 4); need numbers (N, 5)"),
        (np.ones(5), "opr_weights is float64 of shape (5,)"),
        (np.array([[b"a"] * 5] * 7), "need numbers (N, 5)"),
        (np.ones((6, 5)), "variation_weights has shape (6, 2)"),
        (np.full((7, 5), np.inf), "variation_weights holds"),
    ],
)
def test_hostile_weights_are_refused_in_a_sentence(path, weights, sentence):
    with h5py.File(path, "a") as file:
        del file["opr_weights"], file["probe"].attrs["opr_weights"]
        file["opr_weights"] = weights
    with pytest.raises(FileError) as caught:
        read_reconstruction(path)
    assert sentence in str(caught.value)


def test_modes_that_are_no_variations_are_refused(path):
    with h5py.File(path, "a") as file:
        text = file["napari_ptycho"].asstr()[()].replace('"variations": 2', '"variations": 3')
        del file["napari_ptycho"]
        file["napari_ptycho"] = text
    with pytest.raises(FileError, match="3 variations of the probe should make 4 or 7"):
        read_reconstruction(path)


def test_variations_and_weights_belong_together(rich, tmp_path):
    for name in ("variations", "variation_weights"):
        extras = {name: rich.extras[name]}
        with pytest.raises(ScanError, match="must both be there"):
            write_reconstruction(dataclasses.replace(rich, extras=extras), tmp_path / "r.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_the_old_file(rich, path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("napari_ptycho.io.formats.extras.coherent", full)
    with pytest.raises(FileError, match="no space left"):
        write_reconstruction(rich, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["result.h5"]
