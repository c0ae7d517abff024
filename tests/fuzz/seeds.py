"""A sound file of every format, as small as it can be, and real files; fuzzing starts from them."""

import bz2
import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import tifffile

from . import trees
from .trees import COUNTS, OBJECT, PLACES, PROBE, SIZE, N, X, Y, shifted

CANARY = "canary"


@dataclass(frozen=True)
class Seed:
    """Files that belong together, of which one is opened."""

    name: str
    files: Mapping[str, bytes]
    main: str
    second: str = ""
    """The file with the positions, if the format keeps them apart."""
    damaged: tuple[str, ...] = ()
    """Which files fuzzing changes; empty: the main one."""
    expected: str = "opened as a scan"
    job: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    """How often it is chosen: large files take long."""


def hdf5(tree: trees.Tree, old: bool = True, userblock: int = 0) -> bytes:
    """Return an HDF5 file of a table.

    Args:
        tree: Path -> value, "path@name" -> attribute.
        old: Metadata of old style have no checksums: damage to them goes deeper.
        userblock: Bytes in front, as MATLAB writes them.
    """
    target = io.BytesIO()
    version = "earliest" if old else "latest"
    with h5py.File(target, "w", libver=version, userblock_size=userblock) as file:
        for name, value in tree.items():
            path, _, attribute = name.partition("@")
            if attribute:
                owner = (
                    file if not path else file[path] if path in file else file.create_group(path)
                )
                owner.attrs[attribute] = value
            elif np.shape(value)[:1] == (N,) and np.ndim(value) > 2:
                shape = (1, *np.shape(value)[1:])
                file.create_dataset(path, data=value, chunks=shape, compression="gzip")
            else:
                file[path] = value
    return target.getvalue()


def npz(**arrays: Any) -> bytes:
    """Return an .npz file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # of no time: the same bytes again
            member.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(member, npy(array))
    return target.getvalue()


def npy(array: Any, pickled: bool = False) -> bytes:
    """Return an .npy file."""
    target = io.BytesIO()
    np.save(target, array, allow_pickle=pickled)
    return target.getvalue()


def tiff(array: Any, **options: Any) -> bytes:
    """Return a TIFF file."""
    target = io.BytesIO()
    tifffile.imwrite(target, array, photometric="minisblack", **options)
    return target.getvalue()


def mat(**variables: Any) -> bytes:
    """Return a .mat file of version 5."""
    target = io.BytesIO()
    scipy.io.savemat(target, variables, do_compression=bool(len(variables) % 2))
    return b"MATLAB 5.0 MAT-file".ljust(116) + target.getvalue()[116:]  # without the time


def mib(quad: bool) -> bytes:
    """Return a Merlin file: a header in words and big-endian counts for each frame."""
    length = 768 if quad else 384
    frames = []
    for number, frame in enumerate(COUNTS):
        chips, layout = (4, "2x2") if quad else (1, "   1x1")
        words = f"MQ1,{number + 1:06d},{length:05d},{chips:02d},{SIZE:04d},{SIZE:04d},U16,{layout},"
        words += "0F,2020-05-18 16:51:49.971626,0.000555,0,0,0,1.200000E+2,5.110000E+2,"
        frames.append(words.encode().ljust(length, b"0") + frame.astype(">u2").tobytes())
    return b"".join(frames)


class _Trap:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (CANARY, "w")


def _hdf5_seeds() -> list[Seed]:
    scans = {
        "cxi": trees.cxi(trees.XYZ),
        "cxi-pynx": trees.cxi(trees.XYZ.T),
        "nxcxi-ptycho": trees.NEXUS,
        "nxptycho": {**trees.NEXUS, "entry_1/definition": "NXptycho"},
        "ptyd": trees.PTYD,
        "diamond-i14": trees.I14,
        "diamond-i08-1": trees.I08,
        "diamond-i13": trees.I13,
        "i14-logo": trees.LOGO,
        "shelves-prepared": trees.SHELVES,
        "hxn-diffamp": trees.HXN,
        "hxn-holoptycho": trees.HOLO,
        "nanomax": trees.NANOMAX,
        "ptylab": trees.PTYLAB,
        "py4dstem": trees.EMD,
        "emd-legacy": trees.EMD_OLD,
        "hyperspy": trees.HSPY,
    }
    results = {
        "ptyr": trees.PTYR,
        "ptyrex": trees.PTYREX,
        "product-h5": trees.PRODUCT,
        "shelves-result": trees.SHELVES_RESULT,
    }
    tree = {"tree": True}
    made = [
        Seed(name, {"main": hdf5(table, old=number % 3 > 0)}, "main", job=tree)
        for number, (name, table) in enumerate(scans.items())
    ]
    done = "opened as a reconstruction"
    made += [
        Seed(name, {"main": hdf5(table)}, "main", expected=done, job=tree)
        for name, table in results.items()
    ]
    pppc = hdf5(trees.PPPC)
    made.append(Seed("pppc-h5", {"main": pppc}, "main", expected="NeedsPositions", job=tree))
    niter = hdf5(trees.NITER, userblock=512)
    made.append(Seed("shelves-mat", {"main.mat": niter}, "main.mat", expected=done))
    nsls = hdf5(trees.NSLS_MATLAB, userblock=512)
    return [*made, Seed("nsls-mat", {"main.mat": nsls}, "main.mat")]


def _paired_seeds() -> list[Seed]:
    master, data = hdf5(trees.DECTRIS), hdf5(trees.DECTRIS_DATA)
    files = {"scan_master.h5": master, "scan_data_000001.h5": data}
    linked = {name: value for name, value in trees.PTYD.items() if not name.startswith("chunks")}
    linked |= {
        f"chunks/{number}": h5py.ExternalLink(f"main.ptyd.part{number:03d}", f"/chunks/{number}")
        for number in range(2)
    }
    parts = {"main.ptyd": hdf5(linked)}
    for number in range(2):
        prefix = f"chunks/{number}/"
        part = {name: value for name, value in trees.PTYD.items() if name.startswith(prefix)}
        parts[f"main.ptyd.part{number:03d}"] = hdf5(part)
    places = {
        "positions.csv": b"y_m,x_m\n" + b"".join(b"%g,%g\n" % tuple(p) for p in PLACES * 1e-6)
    }
    fold = {"a_dp.hdf5": hdf5(trees.DP), "a_para.hdf5": hdf5(trees.PARA)}
    product = {"b_dp.hdf5": hdf5(trees.DP), "b_para.hdf5": hdf5(trees.PRODUCT)}
    needs = "NeedsPositions"
    return [
        Seed("dectris", files, "scan_master.h5", damaged=tuple(files), expected=needs),
        Seed("dectris+csv", {**files, **places}, "scan_master.h5", "positions.csv"),
        Seed("dectris-2024", {"main": hdf5(trees.DECTRIS_2024)}, "main", expected=needs),
        Seed("ptyd-linked", parts, "main.ptyd", damaged=tuple(parts)),
        Seed("fold-slice", fold, "a_dp.hdf5", damaged=tuple(fold)),
        Seed("ptychodus-pair", product, "b_dp.hdf5", damaged=tuple(product)),
    ]


def _position_seeds() -> list[Seed]:
    frames = {"frames.npy": npy(COUNTS)}
    text = b"".join(b"%g %g\n" % tuple(place) for place in PLACES[:, ::-1] * 1e-6)
    files = {
        "p.csv": b"# made\ny_m,x_m\n" + b"".join(b"%g,%g\n" % tuple(p) for p in PLACES * 1e-6),
        "p.txt": text,
        "p.npy": npy(PLACES),
        "p.npz": npz(positions_px=PLACES),
        "p.h5": hdf5({"x": X, "y": Y, "xy": PLACES}),
    }
    return [
        Seed(f"positions {name}", {**frames, name: data}, "frames.npy", name, damaged=(name,))
        for name, data in files.items()
    ]


def _array_seeds() -> list[Seed]:
    flat = {"probe": PROBE[None], "object": OBJECT[None], "probe_position_indexes": np.arange(N)}
    for side in ("height", "width"):
        flat |= {f"{name}_pixel_{side}_m": np.array(1e-7) for name in ("probe", "object")}
    flat |= {f"probe_position_{axis}_m": trees.PRODUCT[f"probe_position_{axis}_m"] for axis in "yx"}
    product = npz(**flat)
    tike = npz(data=shifted(COUNTS)[None].astype("f4"), scan=PLACES[None], probe=PROBE[(None,) * 4])
    pinn = npz(diff3d=np.sqrt(COUNTS), xcoords=X, ycoords=Y, probeGuess=PROBE, objectGuess=OBJECT)
    slac = npz(
        diffraction=np.moveaxis(COUNTS, 0, 2), xcoords_start=X * 1e-6, ycoords_start=Y * 1e-6,
        probeGuess=PROBE, objectGuess=OBJECT,
    )  # fmt: skip
    needs, no, image = "NeedsPositions", "FileError", {"image": True}
    arrays = {
        "tike": (tike, ""),
        "tike-bz2": (bz2.compress(tike), ""),
        "ours-npz": (npz(patterns=COUNTS, positions_m=PLACES * 1e-6, energy_ev=8e3), ""),
        "ptychopinn": (pinn, ""),
        "slac": (slac, ""),
        "pppc-npz": (npz(reciprocal=COUNTS.view("i2"), position=PLACES * 1e-6, real=OBJECT), ""),
        "ptychodus-patterns": (npz(patterns=COUNTS, indexes=np.arange(N)), needs),
        "ptychonn": (npz(arr_0=COUNTS.reshape(2, 3, SIZE, SIZE)), needs),
        "product-npz": (product, "opened as a reconstruction"),
        "npy": (npy(COUNTS), needs),
        "pickled-npy": (npy(np.array([_Trap()], object), pickled=True), no),
        "pickle": (pickle.dumps(_Trap(), 4), no),
    }
    frames = {f"frame_{number}.npy": npy(frame) for number, frame in enumerate(COUNTS)}
    return [
        *(
            Seed(name, {"main": data}, "main", expected=told or "opened as a scan", job=image)
            for name, (data, told) in arrays.items()
        ),
        Seed("npy-folder", frames, ".", damaged=tuple(frames), expected=needs),
    ]


def _image_seeds() -> list[Seed]:
    needs, image = "NeedsPositions", {"image": True}
    named = {
        "tiff": tiff(COUNTS),
        "tiff-deflate": tiff(COUNTS, compression="zlib", tile=(16, 16)),
        "bigtiff": tiff(COUNTS.astype("f4"), bigtiff=True),
        "tiff-ome": tiff(COUNTS, ome=True, metadata={"axes": "TYX"}),
        "tiff-imagej": tiff(COUNTS, imagej=True),
    }
    made = [
        Seed(name, {"main.tif": data}, "main.tif", expected=needs, job=image)
        for name, data in named.items()
    ]
    frames = np.moveaxis(COUNTS, 0, 2).astype("f8")
    merlin, quad = mib(False), mib(True)
    empad = np.zeros((4, 130, 128), "<f4")
    empad[:, 60:68, 60:68] = 100
    header = b"HDR,\nFrames in Acquisition (Number):\t6\nFrames per Trigger (Number):\t3\nEnd\t"
    return [
        *made,
        Seed("mat-v5", {"main.mat": mat(dp=frames, x=X, y=Y)}, "main.mat", expected=needs),
        Seed("mat-v5-packed", {"main.mat": mat(dp=frames, x=X)}, "main.mat", expected=needs),
        Seed("mib", {"main.mib": merlin}, "main.mib", expected=needs),
        Seed(
            "mib-quad",
            {"main.mib": quad, "main.hdr": header},
            "main.mib",
            damaged=("main.mib", "main.hdr"),
            expected=needs,
        ),
        Seed("empad", {"scan_x2_y2.raw": empad.tobytes()}, "scan_x2_y2.raw", expected=needs),
    ]


def _own_seeds(folder: Path) -> list[Seed]:
    from napari_ptycho.io import write_reconstruction, write_scan
    from napari_ptycho.model import Geometry, Reconstruction, Scan

    geometry = Geometry(8000.0, 1.5, (55e-6, 55e-6))
    write_scan(Scan(COUNTS, positions_m=PLACES * 1e-6, geometry=geometry), folder / "scan.h5")
    result = Reconstruction(object=OBJECT, probe=PROBE[None], positions_px=PLACES * 10)
    write_reconstruction(result, folder / "result.h5")
    kinds = {"scan.h5": "opened as a scan", "result.h5": "opened as a reconstruction"}
    return [
        Seed(f"ours {name}", {name: (folder / name).read_bytes()}, name, expected=expected)
        for name, expected in kinds.items()
    ]


def _real_seeds(data: Path) -> list[Seed]:
    def of(name: str) -> bytes:
        return (data / name).read_bytes()

    pair = {name: of(f"dectris_arina_bslz4/{name}") for name in ("test_00_master.h5",)}
    part = "test_00_data_000001.h5"
    pair[part] = of(f"dectris_arina_bslz4/{part}")
    near = {"p25.cxi": of("p25_nearfield/PETRAIII_P25_Near_Field_Ptycho.cxi")}
    star = {"star.npz.bz2": of("tike_siemens/siemens-star-small.npz.bz2")}
    cat = {"cat.npz": of("ptynet/ptynet75_poisson1e6.npz")}
    truth = {"truth.npy": of("ptynet/1diff_cat100_0overlap.npy")}
    grid = {"frc.tif": of("frc/Siemens_star_60nm_16nmZP_8keV_det2sple_3400mm_10s_1.tif")}
    needs, image = "NeedsPositions", {"image": True}
    return [
        Seed("real dectris", pair, "test_00_master.h5", damaged=tuple(pair), expected=needs),
        Seed("real p25", near, "p25.cxi", weight=0.7),
        Seed("real tike", star, "star.npz.bz2", weight=0.15),
        Seed("real ptynet", cat, "cat.npz", weight=0.15),
        Seed("real npy", truth, "truth.npy", expected=needs, job=image, weight=0.3),
        Seed("real tiff", grid, "frc.tif", expected="ScanError", job=image, weight=0.2),
    ]


def seeds(folder: Path, data: Path | None = None) -> list[Seed]:
    """Return a seed of every format.

    Args:
        folder: An empty folder to write in.
        data: The folder of real files, if it is there.
    """
    groups: list[Callable[[], list[Seed]]] = [
        _hdf5_seeds, _paired_seeds, _position_seeds, _array_seeds, _image_seeds
    ]  # fmt: skip
    found = [seed for group in groups for seed in group()] + _own_seeds(folder)
    return found + (_real_seeds(data) if data is not None else [])
