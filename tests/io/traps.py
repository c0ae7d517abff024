"""What the tests of traps share: paths, files that set one, and what a user is told."""

import h5py
import numpy as np

from napari_ptycho.io.layout import Layout
from napari_ptycho.model.summary import summary

from .conftest import DETECTOR, H, W

DATA = f"{DETECTOR}/data"
SOURCE = "entry_1/instrument_1/source_1"
PLACES = "entry_1/data_1/translation"
MASK = f"{DETECTOR}/mask"


def told(scan):
    """All notes and warnings of a scan, as the window shows them."""
    warnings = [f"{row.name}: {row.warning}" for row in summary(scan) if row.warning]
    return "\n".join([*scan.notes, *warnings])


def translation(positions):
    return np.column_stack([positions[:, ::-1], np.zeros(len(positions))])


def filtered(path, name, counts):
    """Write frames with a filter that no program has (optional, so that writing works)."""
    with h5py.File(path, "a") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((1, H, W))
        properties.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (1,))
        space, kind = h5py.h5s.create_simple(counts.shape), h5py.h5t.NATIVE_INT32
        made = h5py.h5d.create(file.id, name.encode(), kind, space, properties)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, counts.astype(np.int32))


RASTER = Layout(raster_rows=3, raster_columns=4, step_y=1.0, step_x=2.0, position_unit="um")
