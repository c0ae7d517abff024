"""`train`, `finetune` and `denoise` that were killed go on when they are typed again."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile

from napari_ptycho import io, networks
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.io.autosave import beside, read_checkpoint
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.table import build
from napari_ptycho.networks.training import values_of
from napari_ptycho.phantoms import noisy, phantom
from napari_ptycho.physics.simulation import simulate

QUIET = ("--device", "cpu", "--threads", "1", "--autosave", "0.001")
DENOISE = ("--architecture", "arch1-bilinear", "--iterations", "12", "--stop", "none")


def run(*words):
    return run_cli([str(word) for word in words])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A noisy image, a scan of 16 x 16 pixels, and a network that was taught nothing."""
    folder = tmp_path_factory.mktemp("learning")
    tifffile.imwrite(folder / "noisy.tif", noisy("fibres")[0][40:72, 40:72].astype(np.float32))
    y, x = np.indices((16, 16)) - 8
    probe = np.exp(-(y**2 + x**2) / 18 + 0.03j * (y**2 + x**2))
    places = np.stack(np.mgrid[0:33:8, 0:33:8], axis=-1).reshape(-1, 2).astype(float)
    scan = simulate(np.exp(-1j * phantom("fibres", 48)), probe, places, photons=1e6)
    io.write_scan(scan, folder / "scan.h5")
    preparation = Preparation("standardised", (16, 16), np.zeros((16, 16), np.float32), 1.0)
    network = Network("ptynet-s", values_of(build("ptynet-s", 0)), preparation)
    networks.save(network, folder / "net.safetensors")
    return folder


@pytest.fixture
def interrupted(monkeypatch):
    """Run a command that dies after a checkpoint, before it writes anything."""

    def died(at, out, *words):
        class Died(BaseException):
            pass

        def save(self, checkpoint):
            if checkpoint.done >= at:
                kept(self, checkpoint)
                raise Died

        from napari_ptycho.io.autosave import Autosave

        kept = Autosave.save
        with monkeypatch.context() as patch:
            patch.setattr(Autosave, "save", save)
            patch.setattr(Autosave, "due", True)
            with pytest.raises(Died):
                run(*words, *QUIET, "-o", out)
        assert beside(out).exists()
        assert not out.exists()
        monkeypatch.setattr("napari_ptycho.io.autosave.alive", lambda about: False)

    return died


def commands(files):
    simulated = ("--sim-set", "patterns=32", "--sim-set", "size=16")
    return {
        "train": (
            *("train", "--simulate", *simulated, "--network", "ptynet-s"),
            *("--epochs", "3", "--batch", "8"),
        ),
        "finetune": (
            *("finetune", files / "scan.h5", "--checkpoint", files / "net.safetensors"),
            *("--epochs", "3"),
        ),
        "denoise": ("denoise", files / "noisy.tif", *DENOISE),
    }


def arrays_of(path):
    if path.suffix == ".npy":
        return {"image": np.load(path)}
    if path.suffix == ".h5":
        result = io.read_reconstruction(path)
        return {"object": result.object, "probe": result.probe}
    return networks.load(path).weights


@pytest.mark.parametrize(
    ("name", "ending", "at", "place"),
    [
        ("train", "safetensors", 1.4, "epoch 1.5 of 3"),
        ("finetune", "h5", 2, "epoch 2 of 3"),
        ("denoise", "npy", 7, "iteration 7 of 12"),
    ],
)
def test_the_same_command_goes_on(files, tmp_path, interrupted, capsys, name, ending, at, place):
    words = commands(files)[name]
    whole, out = tmp_path / f"whole.{ending}", tmp_path / f"out.{ending}"
    assert run(*words, *QUIET, "-o", whole) == 0
    assert not beside(whole).exists()
    interrupted(at, out, *words)
    capsys.readouterr()
    assert run(*words, *QUIET, "-o", out) == 0
    assert f"goes on from {place} of an interrupted run" in capsys.readouterr().out
    assert not beside(out).exists()
    found, expected = arrays_of(out), arrays_of(whole)
    for part, array in expected.items():
        np.testing.assert_array_equal(found[part], array, err_msg=part)


@pytest.mark.parametrize("name", ["train", "finetune", "denoise"])
def test_another_job_is_refused_and_restart_begins_anew(files, tmp_path, interrupted, capsys, name):
    words = commands(files)[name]
    out = tmp_path / {"train": "o.safetensors", "finetune": "o.h5", "denoise": "o.npy"}[name]
    interrupted(1, out, *words)
    capsys.readouterr()
    assert run(*words, "--set", "seed=5", *QUIET, "-o", out) == 2
    said = capsys.readouterr().err
    assert "is of another" in said
    assert "--restart begins anew" in said
    assert beside(out).exists()
    assert run(*words, "--set", "seed=5", *QUIET, "--restart", "-o", out) == 0
    assert "goes on" not in capsys.readouterr().out
    assert out.exists()
    assert not beside(out).exists()


def test_without_autosave_nothing_is_left(files, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_ptycho.io.autosave.write_checkpoint", None)
    words = commands(files)["denoise"]
    assert run(*words, *QUIET[:-1], "0", "-o", tmp_path / "out.npy") == 0


def test_a_command_that_was_killed_goes_on_to_the_same_bits(files, tmp_path, capsys):
    words = ["denoise", files / "noisy.tif", *DENOISE, "--set", "history_every=500", *QUIET]
    words[words.index("12")] = "200"
    out, whole = tmp_path / "out.npy", tmp_path / "whole.npy"
    typed = [str(word) for word in (*words, "-o", out)]
    start = "from napari_ptycho.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", start, *typed])
    try:
        deadline = time.monotonic() + 120
        while not beside(out).exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -9
    assert not out.exists()
    assert 0 < read_checkpoint(beside(out), arrays=False).done < 200
    assert run(*words, "--json", "-o", out) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["iterations"] == 200
    assert run(*words, "-o", whole) == 0
    np.testing.assert_array_equal(np.load(out), np.load(whole))
