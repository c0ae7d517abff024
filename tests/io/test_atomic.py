import dataclasses
import os

import h5py
import pytest

from napari_ptycho.errors import FileError
from napari_ptycho.io import atomic, read_scan, write_scan
from napari_ptycho.io.atomic import written


def names(folder):
    return [path.name for path in folder.iterdir()]


def write_half(path, error):
    with written(path) as temporary:
        temporary.write_text("half")
        raise error


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.h5"
    path.write_text("old")
    with pytest.raises(FileError, match=r"result.h5: could not write it: disk full"):
        write_half(path, OSError("disk full"))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["result.h5"]


def test_an_interrupt_leaves_nothing_either(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "result.h5", KeyboardInterrupt())
    assert names(tmp_path) == []


def test_a_link_keeps_pointing_at_its_file(tmp_path):
    (tmp_path / "real.h5").write_text("old")
    (tmp_path / "link.h5").symlink_to(tmp_path / "real.h5")
    with written(tmp_path / "link.h5") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.h5").is_symlink()
    assert (tmp_path / "real.h5").read_text() == "new"


@pytest.fixture
def busy(monkeypatch):
    """A system as Windows: for so many attempts somebody reads the file that is replaced."""

    def reads(attempts, patience):
        left, replace = [True] * attempts, os.replace

        def replacing(source, target):
            if left and left.pop():
                raise PermissionError(13, "The process cannot access the file")
            replace(source, target)

        monkeypatch.setattr(os, "replace", replacing)
        monkeypatch.setattr(atomic, "PATIENCE_S", patience)

    return reads


def test_a_file_that_is_being_read_is_replaced_a_moment_later(tmp_path, busy):
    path = tmp_path / "queue.json"
    path.write_text("old")
    busy(attempts=3, patience=30)
    with written(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["queue.json"]


@pytest.mark.parametrize(("attempts", "patience"), [(1, 0), (100_000, 0.05)])
def test_a_file_that_may_not_be_replaced_is_not_waited_for_for_ever(
    tmp_path, busy, attempts, patience
):
    path = tmp_path / "queue.json"
    path.write_text("old")
    busy(attempts, patience)
    with pytest.raises(FileError, match=r"queue.json: .*cannot access"), written(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["queue.json"]


def test_a_missing_folder_is_named(scan, tmp_path):
    with pytest.raises(FileError, match=r"the folder .*nowhere does not exist"):
        write_scan(scan, tmp_path / "nowhere" / "scan.h5")


def test_a_folder_is_no_file(scan, tmp_path):
    with pytest.raises(FileError, match="is a folder; give the name of a file in it"):
        write_scan(scan, tmp_path)


def test_the_file_a_lazy_scan_is_read_from_is_not_overwritten(scan, tmp_path):
    path = tmp_path / "scan.h5"
    write_scan(scan, path)
    lazy = read_scan(path, lazy_above_bytes=0)
    derived = dataclasses.replace(
        lazy,
        patterns=lazy.patterns[::2] + 1,
        valid=lazy.valid,
        positions_m=lazy.positions_m[::2],
        exposure=None,
    )
    del lazy
    (tmp_path / "alias.h5").symlink_to(path)
    for name in (path, tmp_path / "alias.h5"):
        with pytest.raises(FileError, match=r"an open scan still reads .* write to another name"):
            write_scan(derived, name)
    write_scan(derived, tmp_path / "other.h5")
    del derived
    write_scan(scan, path)  # nobody reads it any more
    assert len(read_scan(path)) == len(scan)


def test_a_disk_error_is_one_sentence(scan, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(h5py.File, "create_dataset", full)
    with pytest.raises(FileError, match="No space left on device"):
        write_scan(scan, tmp_path / "scan.h5")
    assert names(tmp_path) == []
