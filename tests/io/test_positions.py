"""Positions from files of their own, and rasters."""

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, PtychoError, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.layout import Layout
from napari_ptycho.io.places import Places, meshed
from napari_ptycho.io.positions import arranged, raster, read_positions

N = 9


@pytest.fixture
def yx(rng):
    """(N, 2) metres, no two alike."""
    return rng.uniform(-3e-6, 3e-6, (N, 2))


@pytest.fixture
def text(tmp_path):
    def write(name, lines):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def h5(tmp_path):
    def write(parts, units=None):
        path = tmp_path / "second.h5"
        with h5py.File(path, "w") as file:
            for name, value in parts.items():
                file[name] = value
            for name, unit in (units or {}).items():
                file[name].attrs["units"] = unit
        return path

    return write


def rows(*columns, between=" "):
    return [between.join(f"{value:.12g}" for value in row) for row in zip(*columns, strict=True)]


def same(places, yx):
    assert places.unit == "m"
    np.testing.assert_allclose(places.values, yx, rtol=1e-9, atol=1e-15)


def test_csv_of_ptychodus_has_y_then_x_in_metres(text, yx):
    places = read_positions(text("a.csv", rows(*yx.T, between=",")), Layout(), N)
    same(places, yx)
    assert places.source == "file: a.csv"
    assert any("taken as y, then x" in note for note in places.notes)
    assert any("has no unit; it spans" in note and "metres" in note for note in places.notes)


def test_txt_of_ptychodus_has_x_then_y_and_comments(text, yx):
    lines = ["# made by hand", *rows(yx[:, 1], yx[:, 0])]
    places = read_positions(text("a.txt", lines), Layout(), N)
    same(places, yx)
    assert any("taken as x, then y" in note for note in places.notes)


def test_the_person_says_which_column_is_first(text, yx):
    path = text("a.csv", rows(*yx.T[::-1], between=","))
    layout = Layout(position_order="xy")
    places = read_positions(path, layout, N)
    same(arranged(places, layout), yx)
    assert not any("taken as y" in note for note in places.notes)


def test_our_own_csv(text, yx):
    order = np.array([4, 0, 1, 2, 3, 8, 7, 6, 5])
    lines = ["index,y_m,x_m", *rows(order, *yx[order].T, between=",")]
    places = read_positions(text("ours.csv", lines), Layout(), N)
    same(places, yx)
    assert places.notes == []


def test_frames_that_the_index_does_not_name_have_no_position(text, yx):
    keep = np.array([0, 2, 3, 8])
    lines = ["index,y_m,x_m", *rows(keep, *yx[keep].T, between=",")]
    places = read_positions(text("some.csv", lines), Layout(), N)
    same(Places(places.values[keep], "m"), yx[keep])
    assert np.isnan(np.delete(places.values, keep, axis=0)).all()


def test_an_index_beyond_the_frames(text, yx):
    """Of twice as many numbers, half have no frame: they are not two samples of each."""
    index = np.arange(0, 2 * N, 2)
    lines = ["index,y_m,x_m", *rows(index, *yx.T, between=",")]
    places = read_positions(text("some.csv", lines), Layout(), N)
    assert places.values.shape == (N, 2)
    same(Places(places.values[::2], "m"), yx[:5])
    assert any("They go to number 16, but there are 9 frames." in note for note in places.notes)


def test_an_index_from_one(text, yx):
    lines = ["index,y_m,x_m", *rows(np.arange(1, N + 1), *yx.T, between=",")]
    places = read_positions(text("one.csv", lines), Layout(), N)
    same(places, yx)
    assert any("count from 1" in note for note in places.notes)


@pytest.mark.parametrize(
    ("header", "factor"),
    [("posy [um],posx [um]", 1e6), ("y_nm,x_nm", 1e9), ("Y (mm),X (mm)", 1e3)],
)
def test_units_in_the_names_of_columns(text, yx, header, factor):
    lines = [header, *rows(*(yx * factor).T, between=",")]
    places = read_positions(text("named.csv", lines), Layout(), N)
    same(places, yx)
    assert places.notes == []


def test_columns_of_different_units(text, yx):
    lines = ["y_nm,x_um", *rows(yx[:, 0] * 1e9, yx[:, 1] * 1e6, between=",")]
    same(read_positions(text("named.csv", lines), Layout(), N), yx)


@pytest.mark.parametrize("wanted", [("vert", "horiz"), ("3", "1")])
def test_columns_by_name_or_number(text, yx, wanted):
    nothing = np.zeros(N)
    lines = ["time horiz horiz2 vert", *rows(nothing, yx[:, 1] * 1e6, nothing, yx[:, 0] * 1e6)]
    layout = Layout(positions_y=wanted[0], positions_x=wanted[1], position_unit="um")
    same(read_positions(text("log.txt", lines), layout, N), yx)


def test_a_column_that_is_not_there(text, yx):
    path = text("log.txt", ["time horiz vert", *rows(np.arange(N), *yx.T)])
    with pytest.raises(ScanError, match=r"log.txt: has no column 'up'; it has time, horiz, vert"):
        read_positions(path, Layout(positions_y="up", positions_x="horiz"), N)


def lynx_lines(yx, index):
    names = "DataPoint TotalPoints Target_x Average_x_st_fzp Stdev_x_st_fzp"
    names += " Target_y Average_y_st_fzp Stdev_y_st_fzp Average_cap1 Stdev_cap1"
    zero = np.zeros(len(yx))
    x, y = -yx[:, 1] * 1e6, -yx[:, 0] * 1e6
    return [
        "Scan 12, sample A",
        names,
        *rows(index, zero, zero, x, zero, zero, y, zero, zero, zero),
    ]


def test_orchestra_of_lynx_is_in_micrometres_with_both_signs_turned(text, yx):
    path = text("scan_00012.dat", lynx_lines(yx, np.arange(N)))
    places = read_positions(path, Layout(), N)
    same(places, yx)
    assert any(
        "(LYNX, cSAXS): micrometres, and both signs were turned" in note for note in places.notes
    )
    assert "Average_y_st_fzp" in places.source


def test_samples_of_lynx_go_with_the_detectors_count(text, yx):
    """Raw softGlueZynq logs: many samples while one frame is taken."""
    x, y = (-np.repeat(yx[:, axis] * 1e6, 3) for axis in (1, 0))
    moving = np.tile([-0.01, 0.5, 0.01], N)
    names = "DataPoint x_st_fzp y_st_fzp ckUser_Clk_Count Detector_Count"
    body = rows(np.arange(3 * N), x + moving, y - moving, np.arange(3 * N), np.repeat(range(N), 3))
    places = read_positions(text("raw.dat", ["Scan 12", names, *body]), Layout(), N)
    same(places, yx)
    assert any("27 samples of 9 frames: the middle between" in note for note in places.notes)


def test_velociprobe_has_eight_columns_in_nanometres(text, yx):
    """APS 33-ID: x is column 1, minus y column 5, the trigger column 7; two rows for each."""
    x, y = (np.repeat(np.rint(yx[:, axis] * 1e9), 2) for axis in (1, 0))
    ends = np.tile([-4, 4], N)
    zero = np.zeros(2 * N)
    columns = [zero, x + ends, zero, zero, zero, -(y + ends), zero, np.repeat(range(N), 2)]
    path = text("velo.csv", rows(*columns, between=","))
    places = read_positions(path, Layout(), N)
    np.testing.assert_allclose(places.values, np.rint(yx * 1e9) * 1e-9, atol=1e-18)
    assert places.unit == "m"
    assert any("as APS Velociprobe writes them" in note for note in places.notes)


def test_the_laser_of_velociprobe_stands_in_where_the_encoder_is_off(text, yx):
    x, y = np.rint(yx.T[::-1] * 1e9)
    zero = np.zeros(N)
    path = text("velo.csv", rows(zero, x, y, zero, zero, zero, zero, range(N), between=","))
    np.testing.assert_allclose(
        read_positions(path, Layout(), N).values, np.rint(yx * 1e9) * 1e-9, atol=1e-18
    )


def test_spec_has_a_block_for_each_scan(text, yx):
    lines = ["#F some", "#S 1 ascan samx 0 1 3", "#L samx  samy  Seconds", "0 0 1", "1 0 1", ""]
    lines += ["#S 2 mesh samx", "#L Time stamp  samx  samy", *rows(range(N), *yx.T[::-1] * 1e6)]
    places = read_positions(text("some.spec", lines), Layout(position_unit="um"), N)
    same(places, yx)
    assert "samy and samx" in places.source


def test_empty_cells_and_nan_give_no_position(text, yx):
    lines = ["y_m,x_m", *rows(*yx.T, between=",")]
    lines[3], lines[4] = ",1e-6", "nan,1e-6"
    places = read_positions(text("holes.csv", lines), Layout(), N)
    assert np.flatnonzero(np.isnan(places.values[:, 0])).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["y_m,x_m", "1,2", "3"], r"line 3 has 1 columns where those above have 2"),
        (["hello", "world"], "holds no numbers; need the positions of 9 frames"),
        (["1", "2", "3"], "has one column of numbers; positions need two, y and x"),
        (["version https://git-lfs.github.com/spec/v1"], "a Git LFS pointer, not the data"),
        (["<!DOCTYPE html>"], "a web page"),
    ],
)
def test_texts_without_positions(text, lines, words):
    with pytest.raises(PtychoError, match=words):
        read_positions(text("bad.csv", lines), Layout(), N)


def test_what_is_no_position_file(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\x00" + bytes(40))
    with pytest.raises(
        FileError, match=r"a.tif: this is a TIFF file; positions are read from HDF5"
    ):
        read_positions(tmp_path / "a.tif", Layout(), N)
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    with pytest.raises(FileError, match=r"a.bin: neither HDF5 nor NumPy nor text"):
        read_positions(tmp_path / "a.bin", Layout(), N)


@pytest.mark.parametrize(
    ("parts", "units", "scale"),
    [
        ({"probe_position_y_m": 0, "probe_position_x_m": 1}, {}, 1),
        ({"ppY": 0, "ppX": 1}, {}, 1),
        (
            {"entry/instrument/NDAttributes/Ypos": 0, "entry/instrument/NDAttributes/Xpos": 1},
            {},
            1e6,
        ),
        ({"entry/instrument/SampleY/value": 0, "entry/instrument/SampleX/value": 1}, {}, 1e3),
        ({"log/stage_y": 0, "log/stage_x": 1}, {"log/stage_y": "nm"}, 1e9),
    ],
)
def test_two_datasets_of_a_second_file(h5, yx, parts, units, scale):
    path = h5({name: yx[:, axis] * scale for name, axis in parts.items()}, units)
    places = read_positions(path, Layout(), N)
    same(places, yx)
    assert all(f"second.h5:/{name}" in places.source for name in parts)


def test_a_product_joins_by_its_index(h5, yx):
    order = np.array([3, 1, 0, 2, 8, 7, 6, 5, 4])
    parts = {"probe_position_y_m": yx[order, 0], "probe_position_x_m": yx[order, 1]}
    same(read_positions(h5({**parts, "probe_position_indexes": order}), Layout(), N), yx)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("positions_m", lambda yx: yx),
        ("positions_m", lambda yx: yx.T),
        ("positions", lambda yx: yx.reshape(3, 3, 2)),
        ("encoder", lambda yx: yx),
        ("entry_1/data_1/translation", lambda yx: np.column_stack([yx[:, ::-1], 0 * yx[:, 0]])),
        ("entry_1/data_1/translation", lambda yx: np.stack([*yx.T[::-1], 0 * yx[:, 0]])),
        ("points", lambda yx: yx.T[::-1] * 1e6),
        ("scan/scan_positions", lambda yx: yx.T[::-1] * 1e6),
        ("exchange/motor_pos", lambda yx: yx[:, ::-1] * 1e3),
        ("positions", lambda yx: yx.reshape(1, N, 1, 2)),
    ],
    ids=[f"{kind}" for kind in range(10)],
)
def test_one_dataset_of_a_second_file(h5, yx, name, made):
    places = read_positions(h5({name: made(yx), "other": np.zeros((4, 4))}), Layout(), N)
    same(places, yx)
    assert places.source == f"file: second.h5:/{name}"


def test_names_that_nobody_knows_are_found_by_their_size(h5, yx):
    parts = {"a/stage/py": yx[:, 0] * 1e6, "a/stage/px": yx[:, 1] * 1e6, "a/pxl": np.zeros(4)}
    same(read_positions(h5(parts, {"a/stage/py": "um", "a/stage/px": "um"}), Layout(), N), yx)


def test_paths_that_the_person_names(h5, yx):
    parts = {"p/one": yx[:, 0] * 1e9, "q/two": yx[:, 1] * 1e9, "positions": np.zeros((N, 2))}
    layout = Layout(positions_y="p/one", positions_x="/q/two", position_unit="nm")
    same(read_positions(h5(parts), layout, N), yx)
    with pytest.raises(ScanError, match="holds no 'p/three'"):
        read_positions(h5(parts), Layout(positions="p/three"), N)


def test_seven_axes_of_length_one_are_squeezed(h5, yx):
    parts = {f"p/{axis}": yx[:, k].reshape(3, 3, 1, 1, 1, 1, 1) for k, axis in enumerate("yx")}
    layout = Layout(positions_y="p/y", positions_x="p/x", position_unit="m")
    same(read_positions(h5(parts), layout, N), yx)


def test_the_axes_of_a_raster_are_meshed(h5):
    y, x = np.arange(3) * 2e-6, np.arange(4) * 1e-6
    places = read_positions(h5({"s/my": y, "s/mx": x}, {"s/my": "m", "s/mx": "m"}), Layout(), 12)
    expected = [(row, column) for row in y for column in x]
    same(places, np.array(expected))


def test_meshing_where_x_is_the_slow_axis():
    made = meshed(np.arange(3.0), np.arange(4.0) * 10, 12, "some", grid=(4, 3))
    assert made[:4].tolist() == [[0, 0], [1, 0], [2, 0], [0, 10]]


def test_a_row_beside_a_full_grid():
    x = np.arange(12.0).reshape(3, 4)
    made = meshed(np.array([5.0, 6, 7]), x, 12, "some")
    assert made[:, 0].tolist() == [5] * 4 + [6] * 4 + [7] * 4
    assert made[:, 1].tolist() == list(range(12))


def test_sizes_that_do_not_go_together():
    with pytest.raises(ScanError, match="some have 5 and 4 values, which fit neither"):
        meshed(np.arange(5.0), np.arange(4.0), 12, "some")


def test_set_values_stand_in_for_a_readback_that_does_not_move(h5, yx):
    base = "entry/instrument/Sample"
    parts = {
        **{f"{base}{axis}/value": np.zeros(N) for axis in "YX"},
        **{f"{base}{axis}/value_set": yx[:, k] * 1e3 for k, axis in enumerate("YX")},
    }
    places = read_positions(h5(parts), Layout(), N)
    same(places, yx)
    assert "was the encoder off?" in places.notes[0]
    assert "SampleY/value_set" in places.notes[0]
    assert "value_set" in places.source


def test_no_positions_in_hdf5(h5):
    with pytest.raises(ScanError, match=r"second.h5: holds no positions of 9 frames"):
        read_positions(h5({"data": np.zeros((4, 8, 8))}), Layout(), N)


def test_numpy_files(tmp_path, yx):
    np.save(tmp_path / "p.npy", yx.T)
    same(read_positions(tmp_path / "p.npy", Layout(), N), yx)
    np.savez(tmp_path / "p.npz", data=np.zeros(5), posx=yx[:, 1], posy=yx[:, 0])
    places = read_positions(tmp_path / "p.npz", Layout(), N)
    same(places, yx)
    assert places.source == "file: p.npz:posy and p.npz:posx"
    np.savez(tmp_path / "q.npz", scan=np.arange(18).reshape(9, 2))
    places = read_positions(tmp_path / "q.npz", Layout(), N)
    assert places.unit == "px"
    assert places.values[1].tolist() == [2, 3]
    np.savez(tmp_path / "r.npz", nothing=np.zeros(5))
    with pytest.raises(ScanError, match=r"r.npz: holds no positions; it has nothing"):
        read_positions(tmp_path / "r.npz", Layout(), N)


def test_pickles_are_never_opened(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{}, {}], object), allow_pickle=True)
    with pytest.raises(PtychoError):
        read_positions(tmp_path / "p.npy", Layout(), N)


@pytest.mark.parametrize(
    ("scale", "unit", "word"),
    [(1.0, "m", "metres"), (1e6, "m", "micrometres"), (1e8, "px", "object pixels")],
)
def test_numbers_without_a_unit_are_taken_by_their_size_and_that_is_said(
    tmp_path, yx, scale, unit, word
):
    np.save(tmp_path / "p.npy", yx * scale)
    places = read_positions(tmp_path / "p.npy", Layout(), N)
    assert places.unit == unit
    np.testing.assert_allclose(places.values, yx * (1 if unit == "m" else scale))
    assert f"was taken as {word}" in places.notes[0]


def test_micrometres_in_a_name_that_says_metres_are_doubted(h5, yx):
    places = read_positions(h5({"positions_m": yx * 1e6}), Layout(), N)
    assert "which is no scan: are they really in m?" in places.notes[-1]
    fixed = read_positions(h5({"positions_m": yx * 1e6}), Layout(position_unit="um"), N)
    same(fixed, yx)
    assert fixed.notes[0].endswith("says 'm', but um was asked for.")


def test_a_unit_that_is_no_length(h5, yx):
    places = read_positions(h5({"positions": yx}, {"positions": "deg"}), Layout(), N)
    same(places, yx)
    assert places.notes[0] == "second.h5:/positions is in 'deg', which is no length."


def test_a_raster_row_by_row_in_object_pixels():
    places = raster(Layout(raster_rows=2, raster_columns=3, step_y=5, step_x=4), 6)
    assert places.unit == "px"
    assert places.source == "user"
    assert places.values.tolist() == [[0, 0], [0, 4], [0, 8], [5, 0], [5, 4], [5, 8]]
    assert any("no unit and were taken as object pixels" in note for note in places.notes)


def test_a_raster_to_and_fro_in_micrometres():
    layout = Layout(raster_rows=2, step_y=0.5, snake=True, position_unit="um")
    places = raster(layout, 6)
    assert places.unit == "m"
    expected = np.array([[0, 0], [0, 1], [0, 2], [1, 2], [1, 1], [1, 0]]) * 5e-7
    np.testing.assert_allclose(places.values, expected, atol=1e-15)


def test_rasters_that_do_not_fit():
    with pytest.raises(ScanError, match="a raster of 2 x 2 has no place for 6 frames"):
        raster(Layout(raster_rows=2, raster_columns=2, step_y=1), 6)
    with pytest.raises(ScanError, match="a raster of 2 x 3 needs the step"):
        raster(Layout(raster_rows=2), 6)
    short = raster(Layout(raster_columns=4, step_x=1), 6)
    assert short.values[-1].tolist() == [1, 1]
    assert any("8 places for 6 frames; its end is missing" in note for note in short.notes)


def test_rotation_goes_from_x_towards_y():
    places = Places(np.array([[0.0, 1.0], [1.0, 0.0]]), "m")
    turned = arranged(places, Layout(rotate_deg=30)).values
    np.testing.assert_allclose(turned, [[0.5, 0.75**0.5], [0.75**0.5, -0.5]])


def test_nothing_asked_changes_nothing():
    places = Places(np.array([[0.0, 1.0]]), "m")
    assert arranged(places, Layout()) is places


@pytest.mark.real
def test_the_translations_of_a_real_cxi_file(real_data):
    (path,) = (real_data / "p25_nearfield").glob("*.cxi")
    places = read_positions(path, Layout(), 200)
    with h5py.File(path) as file:
        moved = file["entry_1/data_1/translation"][()]
    same(places, moved[:, 1::-1])


@pytest.mark.real
def test_real_detector_files_with_positions_of_their_own(real_data, tmp_path):
    """All counts of this pair are zero."""
    text = tmp_path / "places.csv"
    lines = ["y_um,x_um", *rows(np.arange(16) // 4, np.arange(16) % 4, between=",")]
    text.write_text("\n".join(lines))
    master = real_data / "dectris_arina_bslz4" / "test_00_master.h5"
    scan = read_scan(master, positions=text)
    assert scan.patterns.shape == (16, 192, 192)
    assert scan.positions_m[6].tolist() == pytest.approx([1e-6, 2e-6])
    assert scan.sources["positions_m"] == "file: places.csv (columns y_um and x_um)"
    assert any("There is no count in any of 16 frames: was the shutter" in n for n in scan.notes)
