import subprocess
import sys

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io import read_reconstruction, read_scan, write_scan

READERS = pytest.mark.parametrize("read", [read_scan, read_reconstruction])


@READERS
def test_what_is_not_a_file_is_said(tmp_path, read):
    with pytest.raises(FileError, match="no such file"):
        read(tmp_path / "nothing.h5")
    with pytest.raises(FileError, match="is a folder; give the file inside it"):
        read(str(tmp_path))
    (tmp_path / "empty.cxi").touch()
    with pytest.raises(FileError, match="the file is empty"):
        read(tmp_path / "empty.cxi")


@READERS
@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"II*\x00", "a TIFF file"),
        (b"MQ1,", "a Merlin"),
        (b"\x89PNG", "a PNG"),
        (b"a,b\n", "text"),
    ],
)
def test_files_of_other_kinds_are_named_with_what_can_be_read(tmp_path, read, head, what):
    (tmp_path / "scan.npz").write_bytes(head)
    with pytest.raises(FileError) as caught:
        read(tmp_path / "scan.npz")
    assert what in str(caught.value)
    for container in ("HDF5", "NumPy", "TIFF", "'napari-ptycho formats'"):
        assert container in str(caught.value)


@READERS
def test_unknown_layouts_list_what_they_hold(tmp_path, read):
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["exchange/numbers"] = 1
    np.savez(tmp_path / "odd.npz", numbers=np.ones(3))
    for name, held in (("odd.h5", "exchange"), ("odd.npz", "numbers")):
        with pytest.raises(FileError, match=rf"{name}: .* no known layout \(it holds: {held}\)"):
            read(tmp_path / name)


def test_the_ending_does_not_matter(scan, tmp_path):
    write_scan(scan, tmp_path / "scan.txt")
    assert len(read_scan(str(tmp_path / "scan.txt"))) == len(scan)


def test_names_lose_only_the_endings_of_formats(tmp_path, counts, positions):
    path = tmp_path / "run.0012.npz"
    np.savez(path, patterns=counts, positions_m=positions)
    assert read_scan(path).name == "run.0012"


def test_importing_io_loads_neither_torch_nor_h5py():
    code = "import sys, napari_ptycho.io; print('torch' in sys.modules, 'h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_module_can_be_imported_first():
    code = """
import functools, importlib, importlib.machinery, pkgutil, sys, napari_ptycho.io as io
loader = importlib.machinery.SourceFileLoader
loader.get_code = functools.cache(loader.get_code)  # compiled once; run anew by every import
names = [found.name for found in pkgutil.walk_packages(io.__path__, io.__name__ + ".")]
for name in names:
    for loaded in [one for one in sys.modules if one.startswith("napari_ptycho.io")]:
        del sys.modules[loaded]
    importlib.import_module(name)
print(len(names))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
