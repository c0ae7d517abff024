import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_ptycho import io
from napari_ptycho.cli.app import run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "scale"))
import writers


@pytest.fixture
def growing(star_file, tmp_path):
    """A file of 72 frames that a process writes; it is not there yet."""
    scan = io.read_scan(star_file)
    source = writers.save(
        tmp_path / "source.npz",
        patterns=scan.patterns,
        positions_m=scan.positions_m,
        energy_ev=scan.geometry.energy_ev,
        distance_m=scan.geometry.distance_m,
        pixel_m=scan.geometry.detector_pixel_m[0],
    )
    path = tmp_path / "scan_042.h5"
    process = writers.start("swmr", source, path, "--announced", "--rate", "100")
    yield scan, path
    process.kill()
    process.wait()


def test_watch_writes_what_reconstruct_would(growing, star_file, tmp_path, capsys):
    scan, path = growing
    out, png, predicted = (tmp_path / name for name in ("out.h5", "phase.png", "net.h5"))
    words = ["watch", str(path), "-o", str(out), "--epochs", "3", "--json", "--device", "cpu"]
    words += ["--network", "ptynet-s", "--prediction", str(predicted), "--png", str(png)]
    assert run([*words, "--probe-from", str(star_file)]) == 0
    said = json.loads(capsys.readouterr().out)
    digest = hashlib.blake2b(np.ascontiguousarray(scan.patterns).data, digest_size=16).hexdigest()
    assert (said["frames"], said["expected"], said["scan_checksum"]) == (72, 72, digest)
    found = io.read_reconstruction(out)
    assert len(found.positions_px) == 72
    assert found.provenance["watched"]["complete"] is True
    assert said["error"] == pytest.approx(found.errors[-1])
    assert png.read_bytes().startswith(b"\x89PNG")
    assert io.read_reconstruction(predicted).object.shape == found.object.shape


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--only-predict"], "--only-predict needs a network"),
        (["--prediction", "p.h5"], "--prediction needs a network"),
        (["--only-predict", "--network", "w3net", "--engine", "dm"], "--engine contradict"),
        (["--preset", "suggested"], "name an engine"),
        (["--patience", "0"], "must lie in"),
        (["--wait", "0.3"], "no frame came in 0.3 s"),
        (["--engine", "epic"], "no engine 'epic'"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert run(["watch", "scan.h5", "-o", "out.h5", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("out.h5").exists()
