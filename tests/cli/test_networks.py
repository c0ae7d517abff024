"""`napari-ptycho train`, `predict`, `finetune`, `networks`, as they are typed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_ptycho import device, io, networks
from napari_ptycho.cli.app import run as run_cli
from napari_ptycho.engines import RpieOptions, reconstruct
from napari_ptycho.job import run_to_end
from napari_ptycho.model import Reconstruction, Scan
from napari_ptycho.networks import ARCHITECTURES, FinetuneOptions, PredictOptions, TrainOptions
from napari_ptycho.physics.simulation import simulate

SIZE, STEP, SIDE = 16, 4, 8
TEACH = ("--network", "ptynet-s", "--epochs", "2", "--validation", "0.25")


def run(*words):
    return run_cli([str(word) for word in words])


def asked(capsys, *words):
    """Run a command with --json; return its exit code and what its last line holds."""
    capsys.readouterr()
    code = run(*words, "--json", "--device", "cpu", "--threads", "1")
    return code, json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def refused(capsys, *words):
    """Return the one sentence on stderr."""
    capsys.readouterr()
    assert run(*words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("napari-ptycho: ")
    assert said.err.count("\n") == 1
    return said.err


def scene(seed):
    """Return a scan of 64 patterns of 16 x 16 pixels, and the object that it was taken of."""
    random = np.random.default_rng(seed)
    places = np.stack(np.divmod(np.arange(SIDE**2), SIDE), -1) * float(STEP)
    extent = (SIDE - 1) * STEP + SIZE
    coarse = np.kron(random.random((6, 6)), np.ones((8, 8)))[:extent, :extent]
    image = (1 - 0.2 * coarse) * np.exp(1j * coarse)
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    wave = np.exp(-(y**2 + x**2) * (1 / 18 - 0.05j))
    scan = simulate(image, wave, places, photons=1e5, seed=seed)
    return scan, Reconstruction(image.astype(np.complex64), scan.probe, places)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A scan and its reconstruction, a network that learnt it, and what is broken."""
    folder = tmp_path_factory.mktemp("networks")
    scan, known = scene(0)
    io.write_scan(scan, folder / "scan.h5")
    io.write_reconstruction(known, folder / "recon.h5")
    blind = Scan(scan.patterns, positions_px=scan.positions_px)
    io.write_scan(blind, folder / "blind.h5")
    io.write_scan(Scan(scan.patterns[:, 1:, 1:], positions_px=scan.positions_px), folder / "odd.h5")
    (folder / "broken.safetensors").write_bytes(b"nothing of use")
    words = ("train", folder / "recon.h5", "--scan", folder / "scan.h5", *TEACH)
    assert run(*words, "--device", "cpu", "--threads", 1, "-o", folder / "net.safetensors") == 0
    return folder


def read(files):
    return io.read_scan(files / "scan.h5"), io.read_reconstruction(files / "recon.h5")


def test_train_does_what_the_library_does(files, tmp_path, capsys):
    out = tmp_path / "net.safetensors"
    words = ("train", files / "recon.h5", "--scan", files / "scan.h5", *TEACH)
    code, said = asked(capsys, *words, "--batch", 8, "--set", "rate=0.002", "-o", out)
    assert code == 0
    options = TrainOptions.of("ptynet-s", epochs=2, batch=8, rate=0.002)
    with device.threads(1):
        pairs = networks.pairs_of([read(files)], validation=0.25)
        trained = run_to_end(networks.train(pairs, options, device="cpu"))
    network = networks.load(out)
    assert network.architecture == "ptynet-s"
    assert set(network.weights) == set(trained.network.weights)
    for name, weight in trained.network.weights.items():
        np.testing.assert_allclose(network.weights[name], weight, atol=1e-6, err_msg=name)
    assert said["scores"]["validation"] == pytest.approx(trained.scores["validation"], rel=1e-3)
    assert said["parameters"] == 324_452
    assert said["epochs"] == 2


def test_train_uses_only_the_lines_that_are_asked_for(files, tmp_path, capsys):
    words = ("train", files / "recon.h5", "--scan", files / "scan.h5", *TEACH, "--lines", 0.5)
    code, _ = asked(capsys, *words, "-o", tmp_path / "net.safetensors")
    assert code == 0
    patterns = networks.load(tmp_path / "net.safetensors").about["data"]["patterns"]
    assert patterns["training"] + patterns["validation"] <= SIDE**2 / 2


def test_train_from_a_simulation_with_the_probe_of_a_scan(files, tmp_path, capsys):
    out = tmp_path / "net.safetensors"
    words = ("train", "--simulate", "--sim-set", "patterns=16", "--sim-set", f"size={SIZE}")
    words += ("--probe-from", files / "scan.h5", "--epochs", 1, "-o", out)
    code, said = asked(capsys, *words)
    assert code == 0
    assert said["architecture"] == next(iter(ARCHITECTURES))
    probe = networks.load(out).probe
    given = io.read_scan(files / "scan.h5").probe
    shapes = [wave / np.linalg.norm(wave) for wave in (probe, given)]
    np.testing.assert_allclose(*shapes, atol=1e-5)


def test_train_goes_on_from_a_network(files, tmp_path, capsys):
    words = ("train", files / "recon.h5", "--scan", files / "scan.h5", "--epochs", 1)
    start = ("--start", files / "net.safetensors")
    code, said = asked(capsys, *words, *start, "-o", tmp_path / "on.safetensors")
    assert code == 0
    fresh = asked(capsys, *words, "-o", tmp_path / "fresh.safetensors")[1]
    assert said["history"]["loss"][0] < fresh["history"]["loss"][0]
    other = refused(capsys, *words, *start, "--network", "w3net", "-o", tmp_path / "x")
    assert "is PtyNet-S; leave out --network w3net" in other


def test_predict_does_what_the_library_does(files, tmp_path, capsys):
    out, spread, report = (tmp_path / name for name in ("o.h5", "spread.tif", "report.png"))
    words = ("predict", files / "scan.h5", "--checkpoint", files / "net.safetensors", "-o", out)
    words += ("--every", 2, "--set", "stitching=uniform", "--spread", spread, "--report", report)
    code, said = asked(capsys, *words)
    assert code == 0
    scan, network = io.read_scan(files / "scan.h5"), networks.load(files / "net.safetensors")
    options = PredictOptions(every=2, stitching="uniform")
    with device.threads(1):
        found = run_to_end(networks.predict(scan, network, options, device="cpu"))
    result = io.read_reconstruction(out)
    np.testing.assert_allclose(result.object, found.reconstruction.object, atol=1e-5)
    np.testing.assert_allclose(tifffile.imread(spread), found.spread, atol=1e-5)
    assert found.spread.max() > 0
    assert said["r_factor"] == pytest.approx(found.r_factor, abs=1e-4)
    assert said["patterns"] == SIDE**2 / 2
    assert report.read_bytes().startswith(b"\x89PNG")


def test_finetune_does_what_the_library_does(files, tmp_path, capsys):
    out, tuned = tmp_path / "o.h5", tmp_path / "tuned.safetensors"
    words = ("finetune", files / "scan.h5", "--checkpoint", files / "net.safetensors", "-o", out)
    code, said = asked(capsys, *words, "--epochs", 3, "--save-network", tuned)
    assert code == 0
    scan, network = io.read_scan(files / "scan.h5"), networks.load(files / "net.safetensors")
    with device.threads(1):
        job = networks.finetune(scan, network, FinetuneOptions(epochs=3), device="cpu")
        found = run_to_end(job)
    result = io.read_reconstruction(out)
    np.testing.assert_allclose(result.object, found.predicted.reconstruction.object, atol=1e-3)
    for name, weight in networks.load(tuned).weights.items():
        np.testing.assert_allclose(weight, found.network.weights[name], atol=1e-4, err_msg=name)
    assert said["best_epoch"] == found.epoch
    assert len(said["history"]["loss"]) == 3
    assert said["r_factor"] == pytest.approx(found.predicted.r_factor, abs=1e-3)


def test_a_probe_of_another_file_serves_a_scan_without(files, tmp_path, capsys):
    words = ("finetune", files / "blind.h5", "--checkpoint", files / "net.safetensors")
    words += ("--epochs", 1, "-o", tmp_path / "o.h5")
    assert run(*words, "--probe-from", files / "recon.h5", "--device", "cpu") == 0
    said = refused(capsys, *words, "--probe-from", files / "blind.h5", "--overwrite")
    assert "blind.h5: this scan has no probe" in said


def test_an_engine_goes_on_from_a_prediction(files, tmp_path, capsys):
    out = tmp_path / "o.h5"
    words = ("predict", files / "scan.h5", "--checkpoint", files / "net.safetensors", "-o", out)
    assert run(*words, "--device", "cpu") == 0
    words = ("reconstruct", files / "scan.h5", "--start", out, "--epochs", 3)
    code, said = asked(capsys, *words, "-o", tmp_path / "end.h5")
    assert code == 0
    start, scan = io.read_reconstruction(out), io.read_scan(files / "scan.h5")
    with device.threads(1):
        found = run_to_end(reconstruct(scan, RpieOptions(epochs=3), start, "cpu"))
    np.testing.assert_allclose(said["errors"], found.errors, rtol=1e-3)
    assert np.abs(start.object - 1).max() > 0.1  # it is no flat start


def test_networks_lists_sizes_and_costs(capsys):
    assert run("networks", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert list(listed) == list(ARCHITECTURES)
    assert listed["ptynet-s"]["parameters"] == 324_452
    assert listed["ptynet-s"]["gflop_64"] == pytest.approx(0.112, abs=5e-4)
    assert listed["w3net"]["reconstructed"]
    assert run("networks") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ARCHITECTURES)
    assert "W3-Net (reconstruction)" in printed
    assert run("networks", "ptychonn") == 0
    assert "loss = mae (mse, mae)" in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from napari_ptycho.cli.app import run;"
        "[run([name, '--help']) for name in ('train', 'predict', 'finetune', 'networks')];"
        "print([m for m in ('torch', 'numpy', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--checkpoint" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train",), "there is nothing to learn from"),
        (("train", "recon.h5"), "1 reconstructions but 0 scans"),
        (("train", "--simulate", "recon.h5"), "--simulate needs no reconstruction"),
        (("train", "--simulate", "--sim-set", "size=3"), "size is 3; it must lie in"),
        (("train", "--probe-from", "scan.h5"), "--probe-from needs --simulate"),
        (("train", "--simulate", "--set", "epochs=3"), "--set epochs: it has a flag of its own"),
        (("train", "--simulate", "--set", "architecture=w3net"), "a flag of its own, --network"),
        (("train", "--simulate", "--network", "vgg"), "'vgg' is not one of"),
        (("train", "recon.h5", "--scan", "gone.h5"), "gone.h5"),
        (("train", "recon.h5", "--scan", "scan.h5", "--validation", "0"), "validation"),
        (("train", "recon.h5", "--scan", "odd.h5"), "is not of"),
        (("predict", "scan.h5"), "--checkpoint"),
        (("predict", "scan.h5", "--checkpoint", "vgg"), "there is ptynet-s, w3net"),
        (("predict", "scan.h5", "--checkpoint", "broken.safetensors"), "broken.safetensors"),
        (("predict", "gone.h5", "--checkpoint", "net.safetensors"), "gone.h5"),
        (("predict", "odd.h5", "--checkpoint", "net.safetensors"), "taught with 16 x 16"),
        (("predict", "scan.h5", "--checkpoint", "net.safetensors", "--every", "0"), "--every"),
        (("finetune", "odd.h5", "--checkpoint", "net.safetensors"), "taught with 16 x 16"),
        (("finetune", "scan.h5", "--checkpoint", "net.safetensors", "--epochs", "0"), "epochs"),
    ],
)
def test_what_does_not_work_gets_a_sentence_and_code_2(files, tmp_path, capsys, words, said):
    named = [files / word if word.endswith((".h5", ".safetensors")) else word for word in words]
    assert said in refused(capsys, *named, "-o", tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_fine_tuning_needs_a_probe(files, tmp_path, capsys):
    network = networks.load(files / "net.safetensors")
    nobody = tmp_path / "nobody.safetensors"
    networks.save(type(network)(network.architecture, network.weights, network.preparation), nobody)
    words = ("finetune", files / "blind.h5", "--checkpoint", nobody, "-o", tmp_path / "o.h5")
    assert "probe" in refused(capsys, *words)


def test_files_that_exist_stay(files, tmp_path, capsys):
    words = ("predict", files / "scan.h5", "--checkpoint", files / "net.safetensors", "-o")
    assert "add --overwrite" in refused(capsys, *words, files / "recon.h5")
    out = tmp_path / "o.h5"
    assert "written twice" in refused(capsys, *words, out, "--report", out)
    on = ("--overwrite", "-o", files / "net.safetensors")
    assert "is the network that is read" in refused(capsys, *words[:-1], *on)
    tune = ("finetune", files / "scan.h5", "--checkpoint", files / "net.safetensors", "-o", out)
    assert "written twice" in refused(capsys, *tune, "--save-network", out)


def stopped(job, after):
    """Return a job that Ctrl-C stops after some updates."""

    def ended(*given, **named):
        for number, update in enumerate(job(*given, **named), 1):
            yield update
            if number == after:
                break
        raise KeyboardInterrupt

    return ended


def test_ctrl_c_keeps_what_was_reached(files, tmp_path, capsys, monkeypatch):
    for name, word in (("train", "best network"), ("predict", "patterns"), ("finetune", "best")):
        monkeypatch.setattr(networks, name, stopped(getattr(networks, name), after=1))
        out = tmp_path / f"{name}.out"
        given = {
            "train": (files / "recon.h5", "--scan", files / "scan.h5", *TEACH),
            "predict": (files / "scan.h5", "--checkpoint", files / "net.safetensors"),
            "finetune": (files / "scan.h5", "--checkpoint", files / "net.safetensors"),
        }[name]
        assert run(name, *given, "--device", "cpu", "-o", out) == 130
        said = capsys.readouterr().err
        assert "stopped" in said
        assert word in said
        assert out.exists()


def test_ctrl_c_before_anything_was_reached_writes_nothing(files, tmp_path, capsys, monkeypatch):
    def nothing(*_given, **_named):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(networks, "predict", nothing)
    words = ("predict", files / "scan.h5", "--checkpoint", files / "net.safetensors")
    assert run(*words, "-o", tmp_path / "o.h5") == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "o.h5").exists()
