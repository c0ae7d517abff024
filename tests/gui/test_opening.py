"""What may be ours, which of two files has the frames, and what is dropped on the window."""

import h5py
import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_ptycho.errors import FileError
from napari_ptycho.gui import hooks, loading
from napari_ptycho.gui.opening import Wanting
from napari_ptycho.gui.sniffing import is_ours

from .conftest import make_scan

STEP_M = 1e-6


@pytest.fixture(autouse=True)
def saved_layouts(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_PTYCHO_LAYOUTS", str(tmp_path / "saved layouts"))


@pytest.fixture
def frames(tmp_path):
    path = tmp_path / "frames.npy"
    np.save(path, np.asarray(make_scan().patterns))
    return path


@pytest.fixture
def places(tmp_path):
    path = tmp_path / "places.csv"
    row, column = np.divmod(np.arange(36), 6)
    table = np.stack([row, column], axis=1) * STEP_M
    np.savetxt(path, table, delimiter=",", header="y (m),x (m)", comments="")
    return path


def made(path, content):
    path.write_bytes(content)
    return path


def test_images_stay_with_napari_and_scans_come_to_us(tmp_path, frames, scan_file):
    image, stack = tmp_path / "image.tif", tmp_path / "stack.tif"
    tifffile.imwrite(image, np.zeros((8, 8), np.uint16))
    tifffile.imwrite(stack, np.zeros((5, 8, 8), np.uint16))
    empad = made(tmp_path / "scan.raw", bytes(130 * 128 * 4))
    merlin = made(tmp_path / "scan.mib", b"MQ1,000001,00384,01,0256,0256,U08")
    imaris = tmp_path / "cells.ims"
    with h5py.File(imaris, "w") as file:
        file["data"] = 1
    table = made(tmp_path / "places.csv", b"1,2\n")
    for path in (scan_file, empad, merlin):
        assert hooks.get_reader(str(path)) is hooks.read
    camera = made(tmp_path / "photo.raw", b"FUJIFILM" + bytes(100))
    for path in (image, stack, frames, imaris, table, camera, tmp_path / "absent.h5"):
        assert hooks.get_reader(str(path)) is None
    assert is_ours([stack, table])
    assert not is_ours([image, stack])
    assert not is_ours([table, table])


def test_a_folder_with_several_files_of_frames_is_ours(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    assert not is_ours([folder])
    for number in range(3):
        tifffile.imwrite(folder / f"{number:03}.tif", np.zeros((8, 8), np.uint16))
    assert is_ours([folder])


def test_two_files_are_frames_and_positions_in_either_order(frames, places):
    for order in ((frames, places), (places, frames)):
        opening = loading.paired(*order)
        assert (opening.path, opening.positions) == (frames, places)
        view, _ = loading.open_paths(order)
        row, column = np.divmod(np.arange(36), 6)
        np.testing.assert_allclose(view.scan.positions_m, np.stack([row, column], 1) * STEP_M)
        assert view.opening == opening


def test_a_scan_with_positions_takes_those_of_the_second_file(scan_file, places):
    opening = loading.paired(places, scan_file)
    assert (opening.path, opening.positions) == (scan_file, places)


def test_two_scans_or_many_files_are_refused_in_a_sentence(scan_file, tmp_path):
    with pytest.raises(FileError, match="both hold frames and positions; open one at a time"):
        loading.open_paths((scan_file, scan_file))
    with pytest.raises(FileError, match="3 files were given; give one scan"):
        loading.open_paths([scan_file] * 3)


def test_a_master_is_dropped_with_its_data_files(tmp_path, places):
    patterns = np.asarray(make_scan().patterns)
    with h5py.File(tmp_path / "star_master.h5", "w") as master:
        master["entry/definition"] = "NXmx"
        for number, part in enumerate(np.split(patterns, 3), 1):
            name = f"star_data_{number:06d}.h5"
            with h5py.File(tmp_path / name, "w") as file:
                file["entry/data/data"] = part
            master[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
    dropped = [*sorted(tmp_path.glob("star_*.h5")), places]
    view, _ = loading.open_paths(dropped)
    np.testing.assert_array_equal(view.scan.patterns, patterns)
    assert isinstance(loading.open_paths(dropped[:-1]), Wanting)


def test_all_frames_of_a_folder_are_dropped(tmp_path):
    patterns = np.asarray(make_scan().patterns)[:4]
    paths = [tmp_path / f"frame_{number}.tif" for number in range(4)]
    for path, frame in zip(paths, patterns, strict=True):
        tifffile.imwrite(path, frame)
    opened = loading.open_paths(paths)
    assert isinstance(opened, Wanting)
    assert "holds 4 TIFF images but no positions" in opened.sentence
    with pytest.raises(FileError, match="3 files were given"):
        loading.open_paths(paths[:3])


def test_all_numpy_files_of_a_folder_are_dropped_with_their_positions(tmp_path):
    patterns = np.asarray(make_scan().patterns)[:4]
    paths = [tmp_path / f"frame_{number}.npy" for number in range(4)]
    for path, frame in zip(paths, patterns, strict=True):
        np.save(path, frame)
    assert "holds 4 NPY files but no positions" in loading.open_paths(paths).sentence
    table = tmp_path / "positions.csv"
    np.savetxt(table, np.arange(8.0).reshape(4, 2), delimiter=",", header="y_px,x_px", comments="")
    for dropped in (paths, [*paths, table]):
        view, _ = loading.open_paths(dropped)
        np.testing.assert_array_equal(view.scan.patterns, patterns)
        np.testing.assert_array_equal(view.scan.positions_px[:, 0], [0, 2, 4, 6])
    (tmp_path / "one.tif").write_bytes(b"")
    with pytest.raises(FileError, match="4 files were given"):
        loading.open_paths([*paths[:3], tmp_path / "one.tif"])


def test_what_lacks_positions_is_wanting(frames):
    wanting = loading.open_paths([frames])
    assert isinstance(wanting, Wanting)
    assert wanting.opening.path == frames
    assert "but no positions; give a second file" in wanting.sentence


def drop(target, paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    how = Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(5, 5), *how))
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), *how))


def canvas_of(docks):
    """The widget of napari that takes drops."""
    middle = docks.scan.window().centralWidget()
    return next(one for one in middle.findChildren(QWidget) if one.acceptDrops())


def test_files_dropped_on_the_canvas_open_together(docks, qtbot, frames, places, tmp_path):
    qtbot.waitUntil(lambda: docks.scan.window().isWindow())
    docks.scan.drops.watch()
    target = canvas_of(docks)
    npz = tmp_path / "frames.npz"
    np.savez(npz, data=np.load(frames))
    with qtbot.waitSignal(docks.scan.loaded, timeout=60_000):
        drop(target, [places, npz])
    assert docks.session.scan.positions_m[7] == pytest.approx((STEP_M, STEP_M))
    names = docks.names()

    image = tmp_path / "image.tif"
    tifffile.imwrite(image, np.zeros((8, 8), np.uint16))
    drop(target, [image])  # napari's
    assert docks.names() == [*names, "image"]


def test_electrons_are_told_in_their_own_units(docks):
    from dataclasses import replace

    from napari_ptycho.gui.views import view_scan
    from napari_ptycho.model import Geometry

    geometry = Geometry(energy_ev=3e5, particle="electron", detector_pixel_rad=(5e-4, 5e-4))
    view = view_scan(replace(make_scan(), geometry=geometry))
    docks.scan.show_opened((view, view))
    form = docks.scan.form
    assert form.fields["detector_pixel_rad"].text() == "0.5 mrad"
    assert form.fields["distance_m"].isHidden()
    assert not form.particle.isHidden()
    docks.show()
    assert form.fields["detector_pixel_rad"].isHidden()
    assert form.particle.isHidden()
    assert not form.fields["distance_m"].isHidden()
