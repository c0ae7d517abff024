"""The command line on a small simulated scan: it does what the library does."""

import json

import numpy as np
import pytest

from napari_ptycho import io, samples
from napari_ptycho.cli.app import run
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.prepare import bin_positions, binning_report, first_guess


@pytest.fixture
def scan_file(star_file):
    return star_file


def asked(capsys, *words):
    """Run a command with --json and return its exit code and the object on its last line."""
    code = run([*map(str, words), "--json"])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1
    return code, json.loads(printed[-1])


def test_the_result_is_the_library_result(scan_file, tmp_path, capsys):
    out = tmp_path / "out.h5"
    words = ["reconstruct", scan_file, "--epochs", 3, "--modes", 2, "--bin", "2x2"]
    words += ["--set", "object_alpha=0.2", "--device", "cpu", "--threads", 1, "-o", out]
    code, said = asked(capsys, *words)
    options = RpieOptions(epochs=3, modes=2, object_alpha=0.2)
    expected = run_to_end(
        reconstruct(bin_positions(io.read_scan(scan_file), (2, 2)), options, device="cpu")
    )
    found = io.read_reconstruction(out)
    assert code == 0
    np.testing.assert_allclose(found.object, expected.object, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.probe, expected.probe, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.errors, expected.errors, rtol=1e-5)
    assert said["errors"] == pytest.approx(found.errors)
    assert (said["patterns"], said["epochs"], said["stopped"]) == (20, 3, False)


def test_going_on_equals_the_library(scan_file, tmp_path, capsys):
    half, out = tmp_path / "half.h5", tmp_path / "out.h5"
    words = ["reconstruct", scan_file, "--epochs", 1, "--device", "cpu"]
    assert asked(capsys, *words, "-o", half)[0] == 0
    code, said = asked(capsys, *words, "--start", half, "-o", out)
    scan = io.read_scan(scan_file)
    start = io.read_reconstruction(half)
    expected = run_to_end(reconstruct(scan, RpieOptions(epochs=1), start, "cpu"))
    assert code == 0
    assert len(said["errors"]) == 2
    np.testing.assert_allclose(io.read_reconstruction(out).object, expected.object, atol=1e-4)


@pytest.mark.parametrize("probe", ["mean-pattern", "optics", "file"])
def test_the_probe_to_start_from_is_chosen(scan_file, tmp_path, capsys, probe):
    out = tmp_path / "out.h5"
    words = ["reconstruct", scan_file, "--epochs", 1, "--set", "probe_start=9", "-o", out]
    code, _ = asked(capsys, *words, "--probe", probe)
    expected = first_guess(io.read_scan(scan_file), 1, probe.replace("-", " ")).probe[0]
    found = io.read_reconstruction(out).probe[0]
    overlap = abs(np.vdot(found, expected)) / np.linalg.norm(found) / np.linalg.norm(expected)
    assert code == 0
    assert overlap > 0.9999 if probe != "file" else overlap > 0.99


def test_options_come_from_toml_then_flags_then_set(scan_file, tmp_path, capsys):
    toml, out = tmp_path / "o.toml", tmp_path / "out.h5"
    toml.write_text(RpieOptions(epochs=5, batch=4, seed=3).to_toml())
    words = ["reconstruct", scan_file, "--options", toml, "--epochs", 2, "--set", "batch=16"]
    code, said = asked(capsys, *words, "-o", out)
    used = json.dumps(dict(io.read_reconstruction(out).provenance))
    assert (code, said["epochs"]) == (0, 2)
    assert all(part in used for part in ('"batch": 16', '"seed": 3', '"epochs": 2'))


def test_the_geometry_of_the_flags_is_used(scan_file, tmp_path, capsys):
    out = tmp_path / "out.h5"
    words = ["reconstruct", scan_file, "--epochs", 1, "-o", out]
    code, said = asked(
        capsys, *words, "--energy-ev", 22200, "--distance-m", 7.6, "--detector-pixel-m", 75e-6
    )
    scan = io.read_scan(scan_file)
    assert code == 0
    assert said["pixel_size_m"] == pytest.approx(scan.pixel_size_m)  # half wavelength, twice as far
    assert io.read_reconstruction(out).geometry.energy_ev == 22200


def test_the_report_is_a_picture(scan_file, tmp_path, capsys):
    picture = tmp_path / "out.png"
    words = ["reconstruct", scan_file, "--epochs", 2, "--modes", 2, "-o", tmp_path / "out.h5"]
    code, said = asked(capsys, *words, "--report", picture)
    assert code == 0
    assert said["report"] == str(picture)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_bin_writes_what_the_library_bins(scan_file, tmp_path, capsys):
    out = tmp_path / "binned.h5"
    code, said = asked(capsys, "bin", scan_file, "--size", "2x3", "-o", out)
    scan = io.read_scan(scan_file)
    expected, found = bin_positions(scan, (2, 3)), io.read_scan(out)
    assert code == 0
    np.testing.assert_array_equal(found.patterns, expected.patterns)
    np.testing.assert_allclose(found.positions_m, expected.positions_m)
    np.testing.assert_array_equal(found.exposure, expected.exposure)
    report = binning_report(scan, (2, 3)).as_dict()
    assert said["report"]["frames"] == list(report["frames"]) == [72, 12]
    assert said["report"]["purity"] == pytest.approx(report["purity"])


def test_bin_shows_the_report(scan_file, tmp_path, capsys):
    words = ["bin", str(scan_file), "--size", "4", "--neighbours", "space"]
    assert run([*words, "-o", str(tmp_path / "out.h5")]) == 0
    printed = capsys.readouterr().out
    assert "Patterns   72 -> 18" in printed
    assert "Bin        4 in space" in printed


def test_simulate_writes_the_sample(tmp_path, capsys):
    out = tmp_path / "out.h5"
    small = ["--set", "lines=3", "--set", "columns=4"]
    code, said = asked(capsys, "simulate", "fibres", *small, "-o", out)
    options = samples.SampleOptions(lines=3, columns=4)
    assert (code, said["patterns"]) == (0, 12)
    np.testing.assert_array_equal(
        io.read_scan(out).patterns, samples.open_sample("fibres", options).patterns
    )


def test_simulate_writes_what_was_simulated(tmp_path, capsys):
    out, truth = tmp_path / "out.h5", tmp_path / "truth.h5"
    small = ["--set", "lines=3", "--set", "columns=4"]
    asked(capsys, "simulate", "fibres", *small, "-o", out, "--truth", truth)
    found, options = io.read_reconstruction(truth), samples.SampleOptions(lines=3, columns=4)
    known = samples.simulated("fibres", options)[1]
    np.testing.assert_array_equal(found.object, known.object)
    np.testing.assert_allclose(found.positions_px, known.positions_px)


def test_info_says_what_the_file_holds(scan_file, capsys):
    code, said = asked(capsys, "info", scan_file)
    rows = {row["name"]: row for row in said["rows"]}
    assert code == 0
    assert rows["energy"]["value"] == "11.1"
    assert rows["energy"]["unit"] == "keV"
    assert run(["info", str(scan_file)]) == 0
    printed = capsys.readouterr().out
    assert "11.1 keV" in printed
    assert all(name in printed for name in rows)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("tike_siemens/siemens-star-small.npz.bz2", []),
        ("ptynet/ptynet75_poisson1e6.npz", ["--bin", "1x2", "--modes", "2"]),
        (
            "p25_nearfield/PETRAIII_P25_Near_Field_Ptycho.cxi",
            ["--near", "--focus-to-sample-m", "3.65e-3"],
        ),
    ],
)
def test_real_scans_reconstruct(real_data, tmp_path, capsys, name, flags):
    out, picture = tmp_path / "out.h5", tmp_path / "out.png"
    words = ["reconstruct", real_data / name, *flags, "--epochs", 2, "-o", out]
    code, said = asked(capsys, *words, "--report", picture)
    assert code == 0
    assert said["errors"][-1] < said["errors"][0]
    assert picture.exists()
