import json

import numpy as np
import pytest
import tifffile

from napari_ptycho import io
from napari_ptycho.errors import FileError


def test_tiff_and_npy_go_round(tmp_path, rng):
    image = rng.normal(size=(12, 17)).astype(np.float32)
    for name in ("a.tif", "a.npy"):
        io.write_image(image, tmp_path / name, {"why": "a test"})
        assert io.is_image(tmp_path / name)
        np.testing.assert_array_equal(io.read_image(tmp_path / name), image)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert json.loads(file.pages[0].description) == {"why": "a test"}
    stack = np.stack([image, image])
    io.write_image(stack, tmp_path / "s.tif", {})
    assert tifffile.imread(tmp_path / "s.tif").shape == stack.shape


def test_complex_images_need_npy(tmp_path):
    image = np.eye(8) * 1j
    with pytest.raises(FileError, match=r"a.tif: a TIFF cannot hold complex numbers; call it .npy"):
        io.write_image(image, tmp_path / "a.tif", {})
    assert list(tmp_path.iterdir()) == []
    io.write_image(image, tmp_path / "a.npy", {})
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.npy"), image)


def test_what_is_no_single_image_gets_a_sentence(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((3, 8, 8), np.float32))
    with pytest.raises(FileError, match=r"stack.tif: float32 of shape \(3, 8, 8\); need one image"):
        io.read_image(tmp_path / "stack.tif")
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FileError, match="pickled"):
        io.read_image(tmp_path / "o.npy")
    (tmp_path / "x.txt").write_text("hello")
    assert not io.is_image(tmp_path / "x.txt")
    with pytest.raises(FileError, match="neither TIFF nor NPY"):
        io.read_image(tmp_path / "x.txt")
    whole = (tmp_path / "stack.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 4])
    with pytest.raises(FileError, match=r"cut\.tif"):
        io.read_image(tmp_path / "cut.tif")
    with pytest.raises(FileError, match="no such file"):
        io.is_image(tmp_path / "none.tif")


def test_how_an_image_came_about_is_read_where_it_was_noted(tmp_path, rng):
    image = rng.normal(size=(12, 17)).astype(np.float32)
    about = {"denoised": [{"settings": {"method": "tv"}}], "number": 0.5}
    io.write_image(image, tmp_path / "a.tif", about)
    assert io.about_image(tmp_path / "a.tif") == about
    np.save(tmp_path / "b.npy", image)
    assert io.about_image(tmp_path / "b.npy") == {}


@pytest.mark.parametrize("words", ["ImageJ=1.54f\nimages=1", '["a", "list"]', "12", None, "µm {"])
def test_what_others_noted_is_no_provenance(tmp_path, words):
    more = {} if words is None else {"description": words.encode()}
    tifffile.imwrite(tmp_path / "a.tif", np.eye(8, dtype=np.float32), metadata=None, **more)
    assert io.about_image(tmp_path / "a.tif") == {}


def test_a_broken_image_tells_nothing_but_a_sentence(tmp_path):
    io.write_image(np.eye(8, dtype=np.float32), tmp_path / "a.tif", {"a": 1})
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:6])
    with pytest.raises(FileError, match=r"cut\.tif"):
        io.about_image(tmp_path / "cut.tif")
    with pytest.raises(FileError, match="no such file"):
        io.about_image(tmp_path / "none.tif")
