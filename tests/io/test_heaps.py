import h5py
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io import hdf5


@pytest.fixture
def texts(tmp_path):
    """A file with three texts of any length."""
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        for number in range(3):
            file[f"text_{number}"] = "NXptycho" * (number + 1)
    return path


def test_a_sound_file_opens(texts):
    with hdf5.open_file(texts) as file:
        assert hdf5.text(file["text_2"]) == "NXptycho" * 3


@pytest.mark.parametrize("number_and_size", [(0, 0), (1, 2**64 - 16)])
def test_texts_without_an_end_are_refused(texts, number_and_size):
    """The library would read them for ever."""
    data = bytearray(texts.read_bytes())
    at = data.index(b"GCOL") + 16
    number, size = number_and_size
    data[at : at + 2] = number.to_bytes(2, "little")
    data[at + 8 : at + 16] = size.to_bytes(8, "little")
    texts.write_bytes(data)
    with (
        pytest.raises(FileError, match=r"texts.h5: the HDF5 file is damaged: its texts have no"),
        hdf5.open_file(texts),
    ):
        pass
