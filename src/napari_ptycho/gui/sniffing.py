"""Whether a file may be one of ours: from its ending and its first bytes, at no cost."""

from collections.abc import Sequence
from pathlib import Path

from napari_ptycho.gui.opening import TOML
from napari_ptycho.io.files import BZ2, GZIP, HDF5, HEAD_BYTES, MATLAB, MIB, NPY, TIFF, ZIP, kind_of

ENDINGS = {
    HDF5: (
        *(".h5", ".hdf5", ".hdf", ".cxi", ".nxs", ".nx5"),
        *(".ptyd", ".ptyr", ".hspy", ".emd", ".mat"),
    ),
    ZIP: (".npz",),
    BZ2: (".bz2",),
    GZIP: (".npz.gz", ".npy.gz"),
    MIB: (".mib",),
    MATLAB: (".mat",),
}
"""Kind of file -> endings that scans have; others (.ims, .nii.gz) belong to other plugins."""
RAW, RAW_FRAME_BYTES = "raw", 130 * 128 * 4
"""A file of an EMPAD detector knows nothing but frames of this size."""
FOLDER_LOOK = 64
"""So many files of a folder are looked at."""


def is_ours(paths: Sequence[Path]) -> bool:
    """Whether what is opened together may be a scan or a reconstruction.

    An image in TIFF or NPY is napari's; frames in TIFF with a second file are ours, and so is a
    folder that holds several files of frames. TOML is a recipe.
    """
    if any(path.suffix.lower() == TOML for path in paths):
        return True
    kinds = [kind(path) for path in paths]
    if any(one in (*ENDINGS, RAW) for one in kinds):
        return True
    if len(paths) == 1:
        return _holds_frames(paths[0])
    return len(paths) == 2 and kinds.count(TIFF) == 1


def kind(path: Path) -> str | None:
    """Return what kind of file a path is; None for folders, and for what scans do not lie in."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            found = kind_of(file.read(HEAD_BYTES))
        size = path.stat().st_size
    except OSError:
        return None
    if found in (TIFF, NPY):
        return found
    if found in ENDINGS:
        return found if path.name.lower().endswith(ENDINGS[found]) else None
    return RAW if path.suffix.lower() == ".raw" and size % RAW_FRAME_BYTES == 0 else None


def _holds_frames(folder: Path) -> bool:
    try:
        inside = sorted(folder.iterdir())[:FOLDER_LOOK] if folder.is_dir() else []
    except OSError:
        return False
    return sum(kind(path) == TIFF for path in inside) > 1
