"""Files built as the beamlines write them, path by path."""

import h5py
import numpy as np
import pytest

from napari_ptycho.errors import FileError, NeedsPositions, ScanError
from napari_ptycho.io import read_scan
from napari_ptycho.io.formats import beamlines
from napari_ptycho.io.layout import Layout

ROWS, COLUMNS, H, W = 3, 4, 16, 24
N = ROWS * COLUMNS


@pytest.fixture
def frames(rng):
    """(N, H, W) counts, bright in the middle, no frame like another."""
    y, x = np.ogrid[:H, :W]
    mean = 400 * np.exp(-((y - H // 2) ** 2 + (x - W // 2) ** 2) / 12) + 0.3
    return rng.poisson(np.broadcast_to(mean, (N, H, W))).astype(np.uint16)


@pytest.fixture
def yx(rng):
    """(N, 2) metres near a raster, read back."""
    row, column = np.divmod(np.arange(N), COLUMNS)
    return np.stack([row * 2e-6, column * 1e-6], axis=1) + rng.uniform(-2e-7, 2e-7, (N, 2))


@pytest.fixture
def h5(tmp_path):
    """Write a file; values of (number, unit) get a `units` attribute."""

    def write(parts, name="made.nxs"):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in parts.items():
                if isinstance(value, tuple):
                    file[key] = value[0]
                    file[key].attrs["units"] = value[1]
                else:
                    file[key] = value
        return path

    return write


def read(path, **kwargs):
    """Read a scan; the format must be that of the table."""
    with h5py.File(path) as file:
        assert beamlines.recognises(file)
    return read_scan(path, **kwargs)


def check(scan, frames, yx, title, **geometry):
    """Frames, positions and geometry are what was put in, in the same order."""
    np.testing.assert_array_equal(scan.patterns, frames)
    np.testing.assert_allclose(scan.positions_m, yx, rtol=1e-6, atol=1e-13)
    for name in ("energy_ev", "distance_m", "detector_pixel_m"):
        wanted, found = geometry.get(name), getattr(scan.geometry, name)
        if wanted is None:
            assert found is None, name
            assert scan.sources[name] == "unknown"
        else:
            np.testing.assert_allclose(found, wanted)
            assert scan.sources[name].startswith("file: /")
    assert f"Read as a file of {title}." in scan.notes


def says(scan, words):
    return any(words in note for note in scan.notes)


def i14(frames, yx, detector="merlin"):
    y, x = yx[:, 0].reshape(ROWS, COLUMNS) * 1e3, yx[:, 1].reshape(ROWS, COLUMNS) * 1e3
    return {
        "entry/diamond_scan/scan_shape": np.array([ROWS, COLUMNS]),
        f"entry/{detector}_addetector/data": frames.reshape(ROWS, COLUMNS, H, W),
        f"entry/{detector}_addetector/SampleY_value_set": (np.arange(ROWS) * 2e-3, "mm"),
        f"entry/{detector}_addetector/SampleX_value_set": (np.arange(COLUMNS) * 1e-3, "mm"),
        "entry/instrument/SampleY/value": (y, "mm"),
        "entry/instrument/SampleX/value": (x, "mm"),
        "entry/instrument/scannables/excalibur_z/value": (1234.0, "mm"),
    }


@pytest.mark.parametrize("detector", ["merlin", "excalibur", "eiger"])
def test_i14(h5, frames, yx, detector):
    scan = read(h5(i14(frames, yx, detector)))
    check(scan, frames, yx, "Diamond I14", distance_m=1.234)
    assert scan.sources["patterns"] == f"file: /entry/{detector}_addetector/data"
    assert "entry/instrument/SampleY/value" in scan.sources["positions_m"]


def test_i14_with_set_values_alone(h5, frames, yx):
    parts = i14(frames, yx)
    del parts["entry/instrument/SampleY/value"], parts["entry/instrument/SampleX/value"]
    mesh = [(row * 2e-6, column * 1e-6) for row in range(ROWS) for column in range(COLUMNS)]
    check(read(h5(parts)), frames, np.array(mesh), "Diamond I14", distance_m=1.234)


def test_i14_whose_readback_is_zero(h5, frames, yx):
    zeros = np.zeros((ROWS, COLUMNS))
    parts = {f"entry/instrument/Sample{axis}/value": (zeros, "mm") for axis in "YX"}
    scan = read(h5({**i14(frames, yx), **parts}))
    assert scan.positions_m[5].tolist() == pytest.approx([2e-6, 1e-6])
    assert says(scan, "was the encoder off?")


def test_i14_without_units_is_in_millimetres(h5, frames, yx):
    parts = {key: one[0] if isinstance(one, tuple) else one for key, one in i14(frames, yx).items()}
    scan = read(h5(parts))
    check(scan, frames, yx, "Diamond I14", distance_m=1.234)
    assert says(scan, "says no unit; mm was taken, as such files have it.")


def j08(frames, yx):
    return {
        "processed/result/data": frames.reshape(ROWS, COLUMNS, H, W),
        "processed/result/posy": (yx[:, 0].reshape(ROWS, COLUMNS) * 1e6, "um"),
        "processed/result/posx": (yx[:, 1].reshape(ROWS, COLUMNS) * 1e6, "um"),
    }


def test_j08_preprocessed(h5, frames, yx):
    check(read(h5(j08(frames, yx))), frames, yx, "Diamond I08-1 (J08), preprocessed")


@pytest.mark.parametrize("index", [0, 1])
def test_j08_with_energies_outermost(h5, frames, yx, index):
    shape = (2, ROWS, COLUMNS)
    parts = {
        "processed/result/data": np.stack([frames, frames[::-1]]).reshape(*shape, H, W),
        "processed/result/posy": (np.stack([yx, yx + 1e-8])[..., 0].reshape(shape) * 1e6, "um"),
        "processed/result/posx": (np.stack([yx, yx + 1e-8])[..., 1].reshape(shape) * 1e6, "um"),
    }
    scan = read(h5(parts), layout=Layout(extra_index=index))
    wanted = (frames, yx) if index == 0 else (frames[::-1], yx + 1e-8)
    check(scan, *wanted, "Diamond I08-1 (J08), preprocessed")
    assert says(scan, f"number {index} of 2 was read; set the extra index for another.")


def test_an_index_beyond_the_energies(h5, frames, yx):
    parts = j08(frames, yx)
    parts["processed/result/data"] = frames.reshape(1, ROWS, COLUMNS, H, W)
    with pytest.raises(ScanError, match="there is no place 3 on axis 0"):
        read(h5(parts), layout=Layout(extra_index=3))


def test_j08_falls_back_to_set_values(h5, frames, yx):
    parts = j08(frames, yx)
    for axis in "yx":
        parts[f"processed/result/pos{axis}_set"] = parts[f"processed/result/pos{axis}"]
        parts[f"processed/result/pos{axis}"] = np.zeros((ROWS, COLUMNS))
    scan = read(h5(parts))
    check(scan, frames, yx, "Diamond I08-1 (J08), preprocessed")
    assert says(scan, "posy_set")


def test_i08_names_the_stxm_file_and_takes_it(h5, frames):
    path = h5({"entry1/instrument/_andorrastor/data": frames.reshape(ROWS, COLUMNS, H, W)})
    with pytest.raises(
        NeedsPositions, match=r"12 frames of Diamond I08 .*: they are in the STXM file"
    ):
        read(path)
    stxm = {
        "entry1/Counter1/sample_y": (np.arange(ROWS) * 2.0, "um"),
        "entry1/Counter1/sample_x": (np.arange(COLUMNS) * 1.0, "um"),
    }
    scan = read(path, positions=h5(stxm, "stxm.hdf5"))
    mesh = [(row * 2e-6, column * 1e-6) for row in range(ROWS) for column in range(COLUMNS)]
    check(scan, frames, np.array(mesh), "Diamond I08")
    assert scan.sources["positions_m"].startswith("file: stxm.hdf5:/entry1/Counter1/sample_y")


@pytest.mark.parametrize(
    ("y", "x"),
    [
        ("lab_sxy/lab_sy", "lab_sxy/lab_sx"),
        ("t1_sxyz/t1_sy", "t1_sxyz/t1_sx"),
        ("t1_pi_ly/t1_pi_ly", "t1_pi_lx/t1_pi_lx"),
    ],
)
def test_i13_raw(h5, frames, yx, y, x):
    monitor = np.full(N, 50.0)
    monitor[2] = 1.0
    parts = {
        "entry1/instrument/merlin_sw_hdf/data": frames,
        f"entry1/instrument/{y}": yx[:, 0] * 1e6,
        f"entry1/instrument/{x}": yx[:, 1] * 1e6,
        "entry1/instrument/ionc_i/ionc_i": monitor,
        "entry1/before_scan/t2/t2_z": 2500.0,
    }
    scan = read(h5(parts))
    keep = np.arange(N) != 2
    check(scan, frames[keep], yx[keep], "Diamond I13-1", distance_m=2.5)
    np.testing.assert_array_equal(scan.exposure, 1)
    assert says(scan, "below a tenth of its median (50) were left out: 2.")
    assert says(scan, "September 2018") == ("t1_pi" in y)


@pytest.mark.parametrize("angle", [0, 1])
def test_i13_raw_with_angles(h5, frames, yx, angle):
    parts = {
        "entry1/instrument/excalibur/data": np.stack([frames, frames[::-1]]),
        "entry1/instrument/lab_sxy/lab_sy": (np.stack([yx[:, 0]] * 2) * 1e6, "um"),
        "entry1/instrument/lab_sxy/lab_sx": (np.stack([yx[:, 1]] * 2) * 1e6, "um"),
        "entry1/instrument/t1_theta/t1_theta": np.array([0.0, 90.0]),
    }
    scan = read(h5(parts), layout=Layout(extra_index=angle))
    check(scan, [frames, frames[::-1]][angle], yx, "Diamond I13-1")
    assert says(scan, f"number {angle} of 2 was read")


def test_i13_tomography_finds_the_positions_beside(h5, frames, yx):
    path = h5({"data/frames": frames, "data/scan": np.zeros(1)}, "pty_tomo.h5")
    with pytest.raises(NeedsPositions, match=r"positions_0.h5"):
        read(path)
    base = "entry/instrument/NDAttributes"
    beside = {f"{base}/lab_sy": (yx[:, 0] * 1e6, "um"), f"{base}/lab_sx": (yx[:, 1] * 1e6, "um")}
    h5({**beside, f"{base}/NDArrayUniqueId": np.arange(N)}, "positions_0.h5")
    scan = read(path)
    check(scan, frames, yx, "Diamond I13-1, tomography")
    assert scan.sources["positions_m"].startswith("file: positions_0.h5:/entry/instrument")


def test_i13_tomography_of_several_angles(h5, frames, yx):
    path = h5({"data/frames": np.stack([frames, frames[::-1]]), "data/scan": [0.0, 1.0]}, "t.h5")
    base = "entry/instrument/NDAttributes"
    h5({f"{base}/py": (yx[:, 0], "m"), f"{base}/px": (yx[:, 1], "m")}, "positions_1.h5")
    scan = read(path, layout=Layout(extra_index=1))
    check(scan, frames[::-1], yx, "Diamond I13-1, tomography")


def exported(frames, yx):
    mask = np.ones((H, W), np.uint8)
    mask[2, 5] = 0
    return {
        "data": frames.reshape(ROWS, COLUMNS, H, W),
        "posy": yx[:, 0].reshape(ROWS, COLUMNS) * 1e3,
        "posx": yx[:, 1].reshape(ROWS, COLUMNS) * 1e3,
        "energy": 9.7,
        "distance": 1850.0,
        "mask": mask,
        "psize": 55e-6,
    }


@pytest.mark.parametrize("flat", [False, True])
def test_exported_as_i14_logo(h5, frames, yx, flat):
    parts = exported(frames, yx)
    if flat:  # (C, D) positions of (C * D, h, w) frames
        parts["data"] = frames
    scan = read(h5(parts, "logo.h5"))
    check(
        scan,
        frames,
        yx,
        "Diamond, exported",
        energy_ev=9700,
        distance_m=1.85,
        detector_pixel_m=(55e-6, 55e-6),
    )
    assert np.argwhere(~scan.valid).tolist() == [[2, 5]]


def test_exported_with_axes_of_the_raster(h5, frames):
    parts = exported(frames, np.zeros((N, 2)))
    parts |= {"posy": np.arange(ROWS) * 2e-3, "posx": np.arange(COLUMNS) * 1e-3}
    scan = read(h5(parts))
    assert scan.positions_m[6].tolist() == pytest.approx([2e-6, 2e-6])


def test_exported_with_zeros_for_what_is_not_known(h5, frames, yx):
    parts = {**exported(frames, yx), "distance": 0.0, "energy": np.nan, "psize": 0.0}
    scan = read(h5(parts))
    check(scan, frames, yx, "Diamond, exported")
    assert says(scan, "/distance = 0 mm says nothing of the distance; it stays unknown.")


def test_exported_with_more_positions_than_frames(h5, frames, yx):
    parts = {**exported(frames, yx), "data": frames[:10]}
    parts |= {"posy": yx[:, 0] * 1e3, "posx": yx[:, 1] * 1e3}
    scan = read(h5(parts))
    np.testing.assert_allclose(scan.positions_m, yx[:10])
    assert says(scan, "10 patterns but 12 positions")


def test_csaxs(h5, frames, yx, tmp_path):
    parts = {
        "entry/data/data": frames,
        "entry/instrument/eiger_4/x_pixel_size": 75.0,
        "entry/instrument/eiger_4/y_pixel_size": 76.0,
        "entry/instrument/monochromator/energy": 6.2,
        "entry/instrument/monochromator/distance": -7316.0,
    }
    path = h5(parts, "run.h5")
    with pytest.raises(NeedsPositions, match=r"specES1/scan_positions/scan_<number>.dat"):
        read(path)
    text = tmp_path / "scan_00005.dat"
    lines = [f"{k} {x * 1e6:.9f} {y * 1e6:.9f}" for k, (y, x) in enumerate(yx)]
    text.write_text("\n".join(["Scan 5", "DataPoint pos_x pos_y", *lines]))
    scan = read(path, positions=text, layout=Layout(position_unit="um"))
    check(
        scan,
        frames,
        yx,
        "SLS cSAXS",
        energy_ev=6200,
        distance_m=7.316,
        detector_pixel_m=(76e-6, 75e-6),
    )
    assert says(scan, "is negative (-7316); its size is used.")


def test_lynx(h5, frames, yx, tmp_path):
    gaps = frames.copy()
    gaps[:, :, 7] = 4095
    gaps[3, 2, 2] = 4095
    path = h5({"entry/data/eiger_4": gaps}, "scan.h5")
    with h5py.File(path, "a") as file:
        said = {"Pixel_size": 75e-6, "Detector_distance_m": 1.92, "Photon_energy_kev": 8.8}
        file["entry/data/eiger_4"].attrs.update({**said, "Center_x_pixel": 3, "Center_y_pixel": 8})
    text = tmp_path / "scan.dat"
    names = "Detector_Count Average_x_st_fzp Stdev_x_st_fzp Average_y_st_fzp Stdev_y_st_fzp"
    lines = [f"{k} {-x * 1e6:.9f} 0 {-y * 1e6:.9f} 0" for k, (y, x) in enumerate(yx)]
    text.write_text("\n".join(["Scan 7, some", names, *lines]))
    scan = read(path, positions=text)
    good = np.broadcast_to(scan.valid, frames.shape)
    np.testing.assert_array_equal(~good, gaps == 4095)
    check(
        scan,
        np.where(gaps == 4095, 0, frames),
        yx,
        "APS 31-ID (LYNX)",
        energy_ev=8800,
        distance_m=1.92,
        detector_pixel_m=(75e-6, 75e-6),
    )
    assert says(scan, "The beam centre is at (8, 3) (y, x)")


def test_polar_links_to_a_group_of_another_file(h5, frames, yx):
    h5({"entry/data/data": frames}, "eiger.h5")
    base = "entry/instrument/NDAttributes"
    path = h5({f"{base}/Xpos": yx[:, 1] * 1e6, f"{base}/Ypos": yx[:, 0] * 1e6}, "master.h5")
    with h5py.File(path, "a") as file:
        file["entry/externals/eiger"] = h5py.ExternalLink("eiger.h5", "/entry/data")
    check(read(path), frames, yx, "APS 4-ID (Polar)")


def test_polar_without_the_other_file(h5, yx):
    path = h5({"entry/instrument/NDAttributes/Xpos": yx[:, 1]}, "master.h5")
    with h5py.File(path, "a") as file:
        file["entry/externals/eiger"] = h5py.ExternalLink("gone.h5", "/entry/data")
    with pytest.raises(FileError, match=r"gone.h5 \(/entry/data\), which is not there"):
        read(path)


def test_cssi(h5, frames, yx):
    parts = {"exchange/data": frames, "exchange/motor_pos": yx[:, ::-1] * 1e3}
    check(read(h5(parts)), frames, yx, "APS 9-ID (CSSI)")


@pytest.mark.parametrize(("stored", "metres"), [(0.95, 0.95), (950.0, 0.95)])
def test_isn_joins_the_files_and_reads_metres_that_are_called_millimetres(
    h5, frames, yx, tmp_path, stored, metres
):
    parts = {
        "configs/det_dist_mm": stored,
        "configs/pix_size_x": 75e-6,
        "configs/pix_size_y": 75e-6,
        "configs/photon_energy_eV": 12000.0,
    }
    path = h5(parts, "isn.h5")
    with h5py.File(path, "a") as file:
        for line in range(ROWS):
            part = frames[line * COLUMNS : (line + 1) * COLUMNS]
            h5({"entry/data/data": part}, f"line_{line}.h5")
            file[f"PTYCHO/line_{line}"] = h5py.ExternalLink(f"line_{line}.h5", "/entry/data/data")
    np.save(tmp_path / "p.npy", yx)
    scan = read(path, positions=tmp_path / "p.npy")
    check(
        scan,
        frames,
        yx,
        "APS 19-ID (ISN)",
        energy_ev=12000,
        distance_m=metres,
        detector_pixel_m=(75e-6, 75e-6),
    )
    unit = "m" if stored < 50 else "mm"
    assert says(scan, f"/configs/det_dist = {stored:g} was taken as {unit}.")


def test_hxn_of_ptycho_gui(h5, frames, yx):
    """Square roots of normalised counts, zero frequency at the corner; points (2, N) in um."""
    counts = np.where(frames < 1, 0, frames * 1.003)  # divided by the ion chamber: not whole
    parts = {
        "diffamp": np.sqrt(np.fft.fftshift(counts, axes=(1, 2))),
        "points": yx.T * 1e6,
        "lambda_nm": 0.1,
        "z_m": 0.5,
        "ccd_pixel_um": 55.0,
        "angle": 0.0,
        "ic": np.linspace(1, 2, N),
        "x_pixel_m": 1e-8,
    }
    scan = read(h5(parts, "scan_1.h5"))
    np.testing.assert_allclose(scan.patterns, counts, rtol=1e-3, atol=0.5)
    np.testing.assert_allclose(scan.positions_m, yx, atol=1e-15)
    assert scan.geometry.energy_ev == pytest.approx(12398.42, rel=1e-6)
    assert scan.geometry.distance_m == 0.5
    assert scan.geometry.detector_pixel_m == pytest.approx((55e-6, 55e-6))
    assert scan.exposure is None
    assert says(scan, "amplitudes with zero frequency at the corner")
    assert says(scan, "the rows of the picture go along the first of `points`, x.")


def test_holoptycho_pads_with_nan_and_has_the_slow_axis_first(h5, frames, yx):
    points = yx.T * 1e6
    points[:, -2:] = np.nan
    scan = read(h5({"dp": frames.astype(np.float32), "points": points}, "live.h5"))
    check(scan, frames[:-2], yx[:-2], "NSLS-II HXN (holoptycho)")
    assert says(scan, "2 patterns have no finite position and were dropped: 10, 11.")
    assert says(scan, "set the order of the positions to xy")


@pytest.mark.parametrize("name", ["entry/data/data", "diff_data/merlin1/det_images"])
def test_hxn_raw(h5, frames, yx, name):
    parts = {name: frames, "scan/scan_positions": yx.T[::-1] * 1e6, "scan/energy": 12.0}
    check(read(h5(parts)), frames, yx, "NSLS-II HXN", energy_ev=12000)


def test_nsls_matlab(tmp_path, frames, yx):
    """Version 7.3: HDF5 behind a block of 512 bytes, all axes in reverse."""
    path = tmp_path / "scan.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["det_data"] = frames.transpose(0, 2, 1)
        file["pos_xy"] = np.stack([np.arange(1, N + 1), *yx.T[::-1] * 1e6])
        file["det_pixel_size"] = np.array([[55.0]])
        file["det_dist"] = np.array([[0.5e6]])
        file["energy"] = np.array([[9.0]])
        file["img_pixel_size_x"] = np.array([[1e-8]])
        pair = np.dtype([("real", "f8"), ("imag", "f8")])
        file["prb"] = np.zeros((W, H), pair)
        file["obj"] = np.zeros((40, 40), pair)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + path.read_bytes()[512:])
    check(
        read(path),
        frames,
        yx,
        "NSLS-II HXN, MATLAB",
        energy_ev=9000,
        distance_m=0.5,
        detector_pixel_m=(55e-6, 55e-6),
    )


@pytest.mark.parametrize("detector", ["eiger1m", "eiger4m", "merlin", "pilatus"])
@pytest.mark.parametrize("place", ["pseudo", "npoint_buff"])
def test_nanomax(h5, frames, yx, detector, place):
    shape = (ROWS, COLUMNS)
    parts = {
        f"entry/measurement/{detector}/frames": frames,
        f"entry/measurement/{place}/y": yx[:, 0].reshape(shape) * 1e6,
        f"entry/measurement/{place}/x": yx[:, 1].reshape(shape) * 1e6,
        "entry/snapshot/energy": np.array([8000.0]),
    }
    check(read(h5(parts)), frames, yx, "MAX IV NanoMAX", energy_ev=8000)


def test_nanomax_with_a_group_for_each_line(h5, frames, yx):
    parts = {
        **{
            f"entry/measurement/merlin/{line:06d}/data": frames[line * COLUMNS :][:COLUMNS]
            for line in range(ROWS)
        },
        "entry/measurement/npoint_buff/y": yx[:, 0].reshape(ROWS, COLUMNS) * 1e6,
        "entry/measurement/npoint_buff/x": yx[:, 1].reshape(ROWS, COLUMNS) * 1e6,
    }
    scan = read(h5(parts))
    check(scan, frames, yx, "MAX IV NanoMAX")
    assert scan.sources["patterns"] == "file: /entry/measurement/merlin/000000/data and 2 more"


def test_lines_of_different_frames(h5, frames):
    parts = {
        "entry/measurement/merlin/000000": frames,
        "entry/measurement/merlin/000001": frames[:, :8],
    }
    with pytest.raises(ScanError, match=r"/000001 has frames \(8, 24\) of uint16, but .*need the"):
        read(h5(parts))


def test_lcls_drops_nan_and_frames_without_beam(h5, frames, yx):
    y, x = -yx.T * 1e6
    x = x.copy()
    x[4] = np.nan
    monitor = np.full(N, 4000.0)
    monitor[6] = 10.0
    parts = {
        "jungfrau1M/image_img": frames.astype(np.float32),
        "lmc/ch03": x,
        "lmc/ch04": np.zeros(N),
        "lmc/ch05": y,
        "ipm2/sum": monitor,
    }
    scan = read(h5(parts))
    keep = [number for number in range(N) if number not in (4, 6)]
    check(scan, frames[keep], yx[keep], "LCLS XPP")
    assert says(scan, "1 patterns have no finite position and were dropped: 4.")
    assert says(scan, "were left out: 6.")


@pytest.mark.parametrize("two", [False, True])
def test_id16a_turns_y_for_frames_upside_down(h5, frames, yx, two):
    motors = yx * [-1e6, 1e6]
    parts = {"entry_0000/ptycho/data": frames}
    if two:
        parts |= {"entry_0000/ptycho/motors/spz": motors[:, 0]}
        parts |= {"entry_0000/ptycho/motors/spy": motors[:, 1]}
    else:
        parts |= {"entry_0000/ptycho/motors": motors.T}
    scan = read(h5(parts))
    check(scan, frames, yx, "ESRF ID16A")
    assert says(scan, "the sign of y was turned instead")


def test_swing(h5, frames, yx):
    parts = {
        "scan_1/scan_data/eiger_image": frames,
        "scan_1/scan_data/tz4": yx[:, 0] * 1e3,
        "scan_1/scan_data/tx4": yx[:, 1] * 1e3,
    }
    check(read(h5(parts)), frames, yx, "SOLEIL SWING")


def test_the_person_says_more_than_the_table(h5, frames, yx):
    layout = Layout(position_unit="um", position_order="xy", first=2)
    scan = read(h5(i14(frames, yx)), layout=layout, geometry={"energy_ev": 9e3})
    np.testing.assert_array_equal(scan.patterns, frames[2:])
    np.testing.assert_allclose(scan.positions_m, yx[2:, ::-1] * 1e3 * 1e-6, atol=1e-15)
    assert scan.geometry.energy_ev == 9e3
    assert says(scan, "says 'mm', but um was asked for.")


def test_a_raster_of_the_person_instead_of_the_positions(h5, frames, yx):
    layout = Layout(raster_rows=ROWS, step_y=2, step_x=1, position_unit="um")
    scan = read(h5(i14(frames, yx)), layout=layout)
    assert scan.positions_m[6].tolist() == pytest.approx([2e-6, 2e-6])
    assert scan.sources["positions_m"] == "user"


def test_positions_that_fit_nothing(h5, frames, yx):
    parts = i14(frames, yx)
    for key in [key for key in parts if "Sample" in key]:
        del parts[key]
    parts["entry/instrument/SampleY/value"] = np.zeros(5)
    parts["entry/instrument/SampleX/value"] = np.zeros(7)
    with pytest.raises(ScanError, match="have 5 and 7 values, which fit neither each other nor 12"):
        read(h5(parts))


def test_frames_with_too_few_axes(h5, frames, yx):
    parts = {**exported(frames, yx), "data": frames[0]}
    with pytest.raises(ScanError, match=r"/data has shape \(16, 24\); need frames \(N, H, W\)"):
        read(h5(parts))


def test_frames_stay_on_disk(h5, frames, yx):
    scan = read(h5(i14(frames, yx)), lazy_above_bytes=1)
    assert scan.is_lazy
    check(scan, frames, yx, "Diamond I14", distance_m=1.234)
