"""HDF5 files of every layout, as tables: path -> value, "path@name" -> attribute."""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

N, SIZE = 6, 16
Tree = Mapping[str, Any]

_source = np.random.default_rng(0)
_y, _x = np.indices((SIZE, SIZE)) - SIZE // 2
COUNTS = _source.poisson(900 * np.exp(-(_y**2 + _x**2) / 8) + 0.2, (N, SIZE, SIZE)).astype("u2")
Y, X = (_source.uniform(0, 0.2, N) + np.indices((2, 3))[axis].ravel() for axis in (0, 1))
PLACES = np.stack([Y, X], axis=1)
"""(N, 2) micrometres."""
PROBE = np.exp(-(_y**2 + _x**2) / 20).astype("c8")
OBJECT = np.ones((3 * SIZE, 3 * SIZE), "c8")
GOOD = np.ones((SIZE, SIZE), "u1")
JOULE = 1.602176634e-19
D = "entry_1/instrument_1/detector_1"


def shifted(frames: Any) -> Any:
    """Move zero frequency to the corner."""
    return np.fft.ifftshift(frames, axes=(-2, -1))


def matlab(array: Any) -> Any:
    """Return complex numbers as MATLAB v7.3 stores them: all axes reversed, a compound."""
    pairs = np.zeros(array.T.shape, [("real", "f8"), ("imag", "f8")])
    pairs["real"], pairs["imag"] = array.T.real, array.T.imag
    return pairs


def cxi(translation: Any) -> Tree:
    return {
        "cxi_version": 160,
        f"{D}/data": COUNTS.astype("i4"),
        "entry_1/data_1/data": h5py.SoftLink(f"/{D}/data"),
        "entry_1/data_1/translation": translation * 1e-6,
        f"{D}/mask": np.zeros((SIZE, SIZE), "u4"),
        f"{D}/distance": 1.5,
        f"{D}/x_pixel_size": 55e-6,
        f"{D}/y_pixel_size": 55e-6,
        f"{D}/data_dark": np.zeros((SIZE, SIZE)),
        "entry_1/instrument_1/source_1/energy": 8000 * JOULE,
        "entry_1/instrument_1/source_1/wavelength": 1.5498e-10,
        "entry_1/data_1/monitor": np.ones(N),
    }


XYZ = np.stack([X, Y, 0 * X], axis=1)
NEXUS: Tree = {
    "entry_1/definition": "NXcxi_ptycho",
    "entry_1/instrument_1/beam_1/energy": 8.0,
    "entry_1/instrument_1/beam_1/energy@units": "keV",
    "entry_1/instrument_1/source_1/energy": 3.0,
    "entry_1/instrument_1/source_1/energy@units": "GeV",
    f"{D}/data": COUNTS.reshape(2, 3, SIZE, SIZE),
    f"{D}/translation": XYZ * 1e-3,
    f"{D}/translation@units": "mm",
    f"{D}/distance": 1500.0,
    f"{D}/distance@units": "mm",
    f"{D}/x_pixel_size": 55.0,
    f"{D}/x_pixel_size@units": "um",
    f"{D}/y_pixel_size": 55.0,
    f"{D}/y_pixel_size@units": "um",
    f"{D}/beam_center_x": 8.0,
    f"{D}/beam_center_x@units": "pixel",
    "entry_1/data_1/data": h5py.SoftLink(f"/{D}/data"),
}
PTYD: Tree = {
    "@h5rw_version": "0.1",
    "meta/version": "0.1",
    "meta/num_frames": N,
    "meta/shape": SIZE,
    "meta/center": np.array([8, 8]),
    "meta/psize": 55e-6,
    "meta/energy": 8.0,
    "meta/distance": 1.5,
    "meta/propagation": "farfield",
    "meta/label": np.ones(1),
    "meta/label@type": "None",
    **{
        f"chunks/{chunk}/{name}": value[part]
        for chunk, part in (("0", slice(0, 4)), ("1", slice(4, 6)))
        for name, value in {
            "data": COUNTS.astype("f4"),
            "positions": PLACES * 1e-6,
            "weights": np.ones(COUNTS.shape, "f4"),
            "indices": np.arange(N),
        }.items()
    },
    "info/recipe": np.frombuffer(b"cos\nsystem\n(S'true'\ntR.", "u1"),
    "info/recipe@type": "pickle",
}
PTYR: Tree = {
    "@h5rw_version": "0.1",
    "header/kind": "minimal",
    "header/description": "Ptypy .h5 compatible storage format",
    **{
        f"content/{kind}/SMFG00/{name}": value
        for kind, data in (("obj", OBJECT[None]), ("probe", PROBE[None]))
        for name, value in {
            "data": data,
            "_psize": np.full(2, 2e-7),
            "_origin": np.full(2, -3e-6),
            "_center": np.full(2, 15.0),
            "_energy": 8.0,
            "fill_value": 0.0,
        }.items()
    },
    "content/positions/SMFG00": PLACES * 1e-6,
    "content/runtime/iter_info/00000/error": np.arange(3.0),
    "content/runtime/iter_info/00000/iteration": 0,
}
_DETECTOR = "entry/instrument/detector"
DECTRIS: Tree = {
    "entry/definition": "NXmx",
    "entry/data/data_000001": h5py.ExternalLink("scan_data_000001.h5", "/entry/data/data"),
    "entry/data/data_000002": h5py.ExternalLink("scan_data_000002.h5", "/entry/data/data"),
    f"{_DETECTOR}/detectorSpecific/pixel_mask": np.zeros((SIZE, SIZE), "u4"),
    f"{_DETECTOR}/detectorSpecific/photon_energy": 8000.0,
    f"{_DETECTOR}/detectorSpecific/nimages": N,
    f"{_DETECTOR}/detectorSpecific/ntrigger": 1,
    f"{_DETECTOR}/detector_distance": 1.5,
    f"{_DETECTOR}/detector_distance@units": "m",
    f"{_DETECTOR}/x_pixel_size": 75e-6,
    f"{_DETECTOR}/y_pixel_size": 75e-6,
    f"{_DETECTOR}/beam_center_x": 8.0,
    f"{_DETECTOR}/bit_depth_image": 16,
    "entry/instrument/beam/incident_wavelength": 1.55,
    "entry/instrument/beam/incident_wavelength@units": "angstrom",
}
DECTRIS_DATA: Tree = {
    "entry/data/data": COUNTS,
    "entry/data/data@image_nr_low": 1,
    "entry/data/data@image_nr_high": N,
}
DECTRIS_2024: Tree = {
    "entry/definition": "NXmx",
    "entry/data/data": np.stack([COUNTS, COUNTS // 2], axis=1),
    "entry/data/channel": np.array([b"threshold_1", b"threshold_2"]),
    f"{_DETECTOR}/threshold_1_channel/pixel_mask": np.zeros((SIZE, SIZE), "u4"),
    f"{_DETECTOR}/distance": 1.5,
    f"{_DETECTOR}/x_pixel_size": 75e-6,
    f"{_DETECTOR}/y_pixel_size": 75e-6,
    "entry/instrument/beam/incident_energy": 8000.0,
    "entry/instrument/beam/incident_energy@units": "eV",
}
I14: Tree = {
    "entry/diamond_scan/scan_shape": np.array([2, 3]),
    "entry/merlin_addetector/data": COUNTS.reshape(2, 3, SIZE, SIZE),
    "entry/merlin_addetector/SampleX_value_set": np.arange(3) * 1e-3,
    "entry/merlin_addetector/SampleY_value_set": np.arange(2) * 1e-3,
    "entry/instrument/scannables/excalibur_z/value": 1500.0,
    "entry/instrument/scannables/excalibur_z/value@units": "mm",
    "entry/instrument/dcm_enrg/value": 8.0,
    "entry/instrument/dcm_enrg/value@units": "keV",
    "entry/mask/mask": GOOD,
}
I08: Tree = {
    "processed/result/data": COUNTS.reshape(2, 3, SIZE, SIZE),
    "processed/result/posx": X,
    "processed/result/posy": Y,
    "entry/instrument/sample_rotation/value": 0.0,
}
I13: Tree = {
    "entry1/instrument/merlin_sw_hdf/data": COUNTS,
    "entry1/instrument/lab_sxy/lab_sx": X,
    "entry1/instrument/lab_sxy/lab_sy": Y,
    "entry1/instrument/ionc_i/ionc_i": np.ones(N),
    "entry1/before_scan/t2/t2_z": 1500.0,
    "entry1/instrument/t1_theta/t1_theta": 0.0,
}
LOGO: Tree = {
    "data": COUNTS,
    "posx": X * 1e-3,
    "posy": Y * 1e-3,
    "energy": 8.0,
    "distance": 1.5,
    "mask": GOOD,
    "psize": 55e-6,
}
_OUT = "entry_1/process_1/output_1"
PTYREX: Tree = {
    f"{_OUT}/object_modulus": np.abs(OBJECT)[(None,) * 5],
    f"{_OUT}/object_phase": np.angle(OBJECT)[(None,) * 5],
    f"{_OUT}/probe_modulus": np.abs(PROBE)[(None,) * 5],
    f"{_OUT}/probe_phase": np.angle(PROBE)[(None,) * 5],
    "entry_1/process_1/common_1/dx": np.full(2, 2e-8),
    "entry_1/experiment_1/data/data_ID": "1234",
    "entry_1/experiment_1/detector/distance": 1.5,
}
PRODUCT: Tree = {
    "@name": "product",
    "@detector_object_distance_m": 1.5,
    "@probe_energy_eV": 8000.0,
    "probe_position_indexes": np.arange(N),
    "probe_position_y_m": (Y - Y.mean()) * 1e-6,
    "probe_position_x_m": (X - X.mean()) * 1e-6,
    "probe": np.stack([PROBE, PROBE])[:, None],
    "probe@pixel_width_m": 1e-7,
    "probe@pixel_height_m": 1e-7,
    "opr_weights": np.ones((N, 2)),
    "object": OBJECT[None],
    "object@center_x_m": 0.0,
    "object@center_y_m": 0.0,
    "object@pixel_width_m": 1e-7,
    "object@pixel_height_m": 1e-7,
    "object_layer_spacing_m": np.empty(0),
    "loss_values": np.ones(3),
    "loss_epochs": np.arange(3),
}
DP: Tree = {"dp": COUNTS.astype("f4")}
PARA: Tree = {"ppX": X * 1e-6, "ppY": Y * 1e-6, "dx": 1e-8, "lambda": 1.55e-10, "angle": 0.0}
SHELVES: Tree = {
    "measurement/n0/data": shifted(COUNTS),
    "measurement/n0/positions": (PLACES * 10).astype("u4"),
    "measurement/n0@max_power": 1e5,
    "detector/n0/modules": np.arange(4),
    "detector/n0/bad_pixels": np.zeros((2, 2)),
    "objects/object_0": np.array([48, 48]),
    "probes/probe_0": np.array([16, 16]),
}
SHELVES_RESULT: Tree = {
    "reconstruction/p/objects/object_0": OBJECT,
    "reconstruction/p/probes/probe_0": PROBE,
    "reconstruction/p/dx_spec": np.full(2, 1e-8),
    "reconstruction/p/lambda": 1.55e-10,
    "reconstruction/p/energy": 8.0,
    "reconstruction/p/positions": PLACES * 10,
    "measurement/data": h5py.ExternalLink("S00001_data.h5", "/measurement"),
}
NITER: Tree = {
    "object": matlab(OBJECT),
    "probe": matlab(PROBE),
    "p/lambda": np.full((1, 1), 1.55e-10),
    "p/dx_spec": np.full((2, 1), 1e-8),
    "outputs/probe_positions": (PLACES[:, ::-1] * 3).T,
    "outputs/fourier_error_out": np.ones((1, 5)),
}
HXN: Tree = {
    "diffamp": np.sqrt(shifted(COUNTS)).astype("f4"),
    "points": np.stack([X, Y]),
    "lambda_nm": 0.155,
    "z_m": 1.5,
    "ccd_pixel_um": 55.0,
    "angle": 0.0,
    "ic": np.ones(N),
    "x_pixel_m": 1e-8,
}
HOLO: Tree = {
    "dp": COUNTS.astype("f4"),
    "points": np.concatenate([[Y, X], np.full((2, 3), np.nan)], axis=1),
    "@dp_orient": "none",
    "@normalization": 1.0,
}
NSLS_MATLAB: Tree = {
    "det_data": COUNTS.astype("f8"),
    "pos_xy": np.stack([X, Y]),
    "det_pixel_size": np.full((1, 1), 55.0),
    "det_dist": np.full((1, 1), 1.5e6),
    "energy": np.full((1, 1), 8.0),
    "prb": matlab(PROBE),
}
NANOMAX: Tree = {
    "entry/measurement/eiger1m/frames": COUNTS,
    "entry/measurement/pseudo/x": X,
    "entry/measurement/pseudo/y": Y,
    "entry/snapshot/energy": np.array([8000.0]),
    "entry/measurement/I0": np.ones(N),
}
APS_4ID: Tree = {
    "entry/externals/eiger": h5py.ExternalLink("eiger.h5", "/entry/data"),
    "entry/instrument/NDAttributes/Xpos": X,
    "entry/instrument/NDAttributes/Ypos": Y,
}
PTYLAB: Tree = {
    "ptychogram": COUNTS,
    "encoder": PLACES * 1e-6,
    "dxd": 55e-6,
    "zo": 0.05,
    "wavelength": 6e-7,
    "entrancePupilDiameter": 1e-3,
    "orientation": 0,
}
PPPC: Tree = {
    "data/reciprocal": COUNTS.view("i2"),
    "data/real": OBJECT,
    "metadata/psize_nm": 10.0,
}
EMD: Tree = {
    "@emd_group_type": "file",
    "root@emd_group_type": "root",
    "root/datacube@emd_group_type": "array",
    "root/datacube/data": COUNTS.reshape(2, 3, SIZE, SIZE),
    "root/datacube/dim0": np.arange(2.0),
    "root/datacube/dim0@units": "nm",
    "root/datacube/dim1": np.arange(3.0),
    "root/datacube/dim1@units": "nm",
    "root/datacube/dim2": np.arange(SIZE) * 0.1,
    "root/datacube/dim2@units": "A^-1",
    "root/datacube/dim3": np.arange(SIZE) * 0.1,
    "root/datacube/dim3@units": "A^-1",
    "root/metadatabundle/calibration/R_pixel_size": 1.0,
    "root/metadatabundle/calibration/R_pixel_units": "nm",
    "root/metadatabundle/calibration/Q_pixel_size": 0.1,
    "root/metadatabundle/calibration/Q_pixel_units": "A^-1",
    "root/metadatabundle/calibration/QR_rotation": 0.0,
    "root/metadatabundle/calibration/QR_flip": False,
}
EMD_OLD: Tree = {
    "@version_major": 0,
    "4DSTEM_simulation/data/datacubes/CBED_array@emd_group_type": 1,
    "4DSTEM_simulation/data/datacubes/CBED_array/datacube": COUNTS.reshape(2, 3, SIZE, SIZE),
    "4DSTEM_simulation/data/datacubes/CBED_array/dim1": np.arange(2.0),
    "4DSTEM_simulation/data/datacubes/CBED_array/dim1@units": "[n_m]",
    "4DSTEM_simulation/data/datacubes/CBED_array/dim2": np.arange(3.0),
    "4DSTEM_simulation/data/datacubes/CBED_array/dim2@units": "[n_m]",
    "4DSTEM_simulation/data/datacubes/CBED_array/dim3": np.arange(SIZE) * 0.1,
    "4DSTEM_simulation/data/datacubes/CBED_array/dim3@units": "[n_m^-1]",
    "4DSTEM_simulation/data/datacubes/CBED_array/dim4": np.arange(SIZE) * 0.1,
    "4DSTEM_simulation/data/datacubes/CBED_array/dim4@units": "[n_m^-1]",
    "4DSTEM_simulation/metadata/metadata_0/original/simulation_parameters@E": 80e3,
}
_HSPY = "Experiments/scan"
HSPY: Tree = {
    "@file_format": "HyperSpy",
    "@file_format_version": "3.3",
    f"{_HSPY}/data": COUNTS.reshape(2, 3, SIZE, SIZE),
    **{
        f"{_HSPY}/axis-{axis}@{name}": value
        for axis, (label, unit, size) in enumerate(
            (("y", "nm", 2), ("x", "nm", 3), ("ky", "1/nm", SIZE), ("kx", "1/nm", SIZE))
        )
        for name, value in {
            "name": label,
            "scale": 0.5,
            "offset": 0.0,
            "units": unit,
            "size": size,
            "navigate": axis < 2,
            "index_in_array": axis,
        }.items()
    },
    f"{_HSPY}/metadata/Acquisition_instrument/TEM@beam_energy": 80.0,
    f"{_HSPY}/metadata/General@title": "scan",
}
