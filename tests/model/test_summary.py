import dataclasses

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.model import Geometry, Scan
from napari_ptycho.model.summary import summary

PLACES = np.array([[0.0, 0.0], [2e-6, 4e-6], [1e-6, 1e-6]])
GEOMETRY = Geometry(8000.0, 1.5, (55e-6, 75e-6))


@pytest.fixture
def scan():
    return Scan(
        np.full((3, 32, 16), 2, np.uint16),
        positions_m=PLACES,
        geometry=GEOMETRY,
        probe=np.ones((2, 32, 16)),
        sources={"energy_ev": "user", "distance_m": "file: z", "patterns": "file: data"},
    )


def table(scan):
    return {row.name: row for row in summary(scan)}


def test_every_value_with_unit_and_source(scan):
    rows = table(scan)
    assert (rows["energy"].value, rows["energy"].unit, rows["energy"].source) == (
        "8",
        "keV",
        "user",
    )
    assert (rows["distance"].value, rows["distance"].source) == ("1.5", "file: z")
    assert (rows["detector pixel"].value, rows["detector pixel"].unit) == ("55 x 75", "µm")
    assert (rows["object pixel"].value, rows["object pixel"].unit) == ("132.09 x 193.73", "nm")
    assert rows["object pixel"].source == "computed"
    assert rows["patterns"].value == "3 of 32 x 16 (uint16)"
    assert rows["counts per pattern"].value == "1,024"
    assert (rows["span"].value, rows["span"].unit) == ("2 x 4", "µm")
    assert rows["propagation"].value == "far field"
    assert rows["probe"].value == "2"
    assert rows["valid pixels"].value == "100"
    assert not any(row.warning for row in rows.values())


def test_what_is_unknown_is_called_unknown():
    rows = table(Scan(np.ones((3, 8, 8)), positions_px=PLACES * 1e7))
    for name in ("energy", "distance", "detector pixel", "object pixel", "probe"):
        assert rows[name].value == "unknown"
    assert rows["span"].unit == "px"
    assert "focus to sample" not in rows


def test_a_near_field_shows_its_focus(scan):
    near = dataclasses.replace(GEOMETRY, propagation="near", focus_to_sample_m=3.65e-3)
    rows = table(dataclasses.replace(scan, geometry=near))
    assert rows["focus to sample"].value == "3.65"
    assert rows["focus to sample"].unit == "mm"
    assert rows["propagation"].value == "near field"


@pytest.mark.parametrize(
    ("field", "value", "row", "factor"),
    [
        ("energy_ev", 8.0, "energy", "1000"),
        ("energy_ev", 8e6, "energy", "0.001"),
        ("energy_ev", 8000 * 1.602176634e-19, "energy", "6.24151e+18"),
        ("distance_m", 1500.0, "distance", "0.001"),
        ("detector_pixel_m", (55.0, 55.0), "detector pixel", "1e-06"),
        ("detector_pixel_m", (55e-6, 55e-3), "detector pixel", "0.001"),
    ],
)
def test_slips_between_units_are_guessed(scan, field, value, row, factor):
    geometry = dataclasses.replace(GEOMETRY, **{field: value})
    warning = table(dataclasses.replace(scan, geometry=geometry))[row].warning
    assert "usual are" in warning
    assert f"by a factor of {factor} is likely" in warning


def test_an_implausible_object_pixel_is_said(scan):
    geometry = dataclasses.replace(GEOMETRY, distance_m=40.0)
    assert table(dataclasses.replace(scan, geometry=geometry))["object pixel"].warning


def test_positions_in_micrometres_are_noticed(scan):
    warning = table(dataclasses.replace(scan, positions_m=PLACES * 1e6))["span"].warning
    assert "factor of 1e-06" in warning


def test_positions_that_never_move_are_noticed(scan):
    still = dataclasses.replace(scan, positions_m=np.ones((3, 2)))
    assert table(still)["span"].warning == "All positions are the same."


def test_dark_and_masked_scans_are_noticed(scan):
    valid = np.zeros((32, 16), bool)
    valid[0, 0] = True
    rows = table(dataclasses.replace(scan, patterns=0 * scan.patterns, valid=valid))
    assert "No counts" in rows["counts per pattern"].warning
    assert "inverted" in rows["valid pixels"].warning


def test_masked_counts_do_not_count(scan):
    valid = np.ones((3, 32, 16), bool)
    valid[:, :16] = False
    assert table(dataclasses.replace(scan, valid=valid))["counts per pattern"].value == "512"


def test_a_lazy_scan_reads_its_first_block_only(scan, monkeypatch):
    monkeypatch.setattr("napari_ptycho.model.summary.FIRST_BYTES", 2 * scan.patterns[0].nbytes)
    read = []
    source = da.map_blocks(
        lambda block: read.append(len(block)) or block,
        da.from_array(np.asarray(scan.patterns), chunks=(1, -1, -1)),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )
    lazy = dataclasses.replace(
        scan, patterns=da.concatenate([source] * 100), positions_m=np.tile(PLACES, (100, 1))
    )
    rows = table(lazy)
    assert "on disk" in rows["patterns"].value
    assert rows["counts per pattern"].value == "1,024"
    assert rows["counts per pattern"].source == "computed from 2 patterns"
    assert len(read) == 2


def electrons(**more):
    """300 keV, half a milliradian per pixel, steps of 0.1 nm."""
    geometry = Geometry(
        energy_ev=300e3, particle="electron", detector_pixel_rad=(5e-4, 4e-4), **more
    )
    return Scan(np.full((3, 64, 64), 2, np.uint16), positions_m=PLACES * 1e-4, geometry=geometry)


def test_electrons_have_an_angle_per_pixel_and_limits_of_their_own():
    rows = table(electrons())
    assert rows["particle"].value == "electron"
    assert (rows["energy"].value, rows["energy"].unit) == ("300", "keV")
    assert (rows["detector angle"].value, rows["detector angle"].unit) == ("0.5 x 0.4", "mrad")
    assert "distance" not in rows
    assert "detector pixel" not in rows
    # 1.96875 pm / (64 * 0.5 mrad), and / (64 * 0.4 mrad)
    assert (rows["object pixel"].value, rows["object pixel"].unit) == ("0.061523 x 0.076904", "nm")
    assert (rows["span"].value, rows["span"].unit) == ("0.2 x 0.4", "nm")
    assert not any(row.warning for row in rows.values())


def test_photons_have_no_rows_of_electrons(scan):
    assert not {"particle", "detector angle"} & set(table(scan))


def test_a_slip_of_electrons_is_doubted():
    wrong = dataclasses.replace(
        electrons().geometry, energy_ev=300.0, detector_pixel_rad=(0.5, 0.5)
    )
    rows = table(dataclasses.replace(electrons(), geometry=wrong))
    assert "usual are 1 to 1500 keV" in rows["energy"].warning
    assert "factor of 1000 is likely" in rows["energy"].warning
    assert "mrad" in rows["detector angle"].warning


def test_electrons_of_a_known_camera_length_show_both():
    geometry = Geometry(200e3, 0.5, (50e-6, 50e-6), particle="electron")
    rows = table(dataclasses.replace(electrons(), geometry=geometry))
    assert rows["distance"].value == "0.5"
    assert (rows["detector angle"].value, rows["detector angle"].source) == ("0.1", "computed")
