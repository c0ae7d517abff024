"""Tasks that stop, fail, are killed and go on: nothing is lost, nothing stays behind."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from napari_ptycho import io, networks, recipes
from napari_ptycho.denoise import ClassicalOptions, DenoiseOptions
from napari_ptycho.engines import DmOptions, LsqmlOptions, RpieOptions, reconstruct
from napari_ptycho.errors import FileError
from napari_ptycho.io.autosave import Autosave, beside, read_checkpoint, write_checkpoint
from napari_ptycho.job import run_to_end
from napari_ptycho.networks import FinetuneOptions, TrainOptions
from napari_ptycho.recipes import (
    AssessOptions,
    DenoiseStep,
    NetworkStep,
    Recipe,
    Task,
    checksums,
    read_report,
    run_here,
    run_task,
)

PLAIN = AssessOptions(frc=False)
CHAIN = Recipe(stages=(DmOptions(epochs=3), LsqmlOptions(epochs=3)), assess=PLAIN)


class Killed(BaseException):
    """Stands for kill -9 right after a checkpoint was written."""


def never():
    return False


def hush(_):
    pass


def task_of(recipe, scan, output):
    return Task(recipes.dumps(recipe), str(scan), str(output), "cpu", autosave_s=0.0)


def killed_at(task, kind, done):
    """Run a task until it has written a checkpoint of this kind that is so far."""
    save = Autosave.save

    def last(self, checkpoint):
        save(self, checkpoint)
        if checkpoint.kind == kind and checkpoint.done >= done:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Autosave, "save", last)
        with pytest.raises(Killed):
            run_task(task, hush, never)
    assert beside(task.output).exists()


def left_behind(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def network(scan_file, tmp_path_factory):
    """The file of a network that knows nothing yet."""
    scan = io.read_scan(scan_file)
    known = run_to_end(reconstruct(scan, RpieOptions(epochs=1), device="cpu"))
    pairs = networks.pairs_of([(scan, known)], validation=0.25)
    trained = run_to_end(networks.train(pairs, TrainOptions.of("ptynet-s", epochs=1), None, "cpu"))
    path = tmp_path_factory.mktemp("network") / "net.safetensors"
    networks.save(trained.network, path)
    return path


def assert_goes_on(recipe, scan_file, folder, kind, done):
    """A task that was killed there ends as one that was not.

    Returns:
        Its progress in words, and the epochs that were done before.
    """
    whole, cut = task_of(recipe, scan_file, folder / "1.h5"), folder / "2.h5"
    assert run_task(whole, hush, never).state == "done"
    task = replace(whole, output=str(cut))
    killed_at(task, kind, done)
    told = []
    report = run_task(task, told.append, never)
    assert report.state == "done"
    one, two = io.read_reconstruction(folder / "1.h5"), io.read_reconstruction(cut)
    np.testing.assert_array_equal(one.object, two.object)
    np.testing.assert_array_equal(one.probe, two.probe)
    assert one.errors == two.errors
    assert recipes.of(one) == recipes.of(two)
    assert not [name for name in left_behind(folder) if "autosave" in name or "before" in name]
    return [one.text for one in told], report.resumed_from


@pytest.mark.parametrize("done", [0.5, 4])
def test_a_chain_goes_on_bit_by_bit(scan_file, tmp_path, done):
    _, resumed_from = assert_goes_on(CHAIN, scan_file, tmp_path, "reconstruction", done)
    assert done <= resumed_from < done + 1


def test_engines_go_on_without_the_network_they_started_from(scan_file, network, tmp_path):
    recipe = replace(CHAIN, network=NetworkStep(str(network)))
    told, resumed_from = assert_goes_on(recipe, scan_file, tmp_path, "reconstruction", 2)
    assert 2 <= resumed_from < 3
    assert not any(text.startswith("predicting") for text in told)


def test_fine_tuning_goes_on(scan_file, network, tmp_path):
    step = NetworkStep(str(network), finetune=FinetuneOptions(epochs=4))
    recipe = Recipe(network=step, assess=PLAIN)
    _, resumed_from = assert_goes_on(recipe, scan_file, tmp_path, "finetuning", 2)
    assert resumed_from == 2


def test_denoising_goes_on_without_the_engines(scan_file, tmp_path):
    step = DenoiseStep("phase", DenoiseOptions(iterations=6, stop="none"))
    recipe = replace(CHAIN, denoise=step)
    told, resumed_from = assert_goes_on(recipe, scan_file, tmp_path, "denoising", 3)
    assert resumed_from == 6
    assert not any("DM" in text for text in told)


def test_a_result_is_not_made_again_where_only_its_denoising_was_lost(
    scan_file, tmp_path, monkeypatch
):
    recipe = replace(CHAIN, denoise=DenoiseStep("phase", ClassicalOptions("tv", strength=1.0)))
    task = task_of(recipe, scan_file, tmp_path / "out.h5")
    with monkeypatch.context() as patch:
        patch.setattr("napari_ptycho.denoise.classical", lambda *_, **__: 1 / 0)
        report = run_task(task, hush, never)
    assert report.state == "failed"
    assert report.message.startswith("unexpected: ZeroDivisionError: ")
    assert not (tmp_path / "out.h5").exists()
    told = []
    report = run_task(task, told.append, never)
    assert (report.state, report.resumed_from) == ("done", 6)
    assert not any("DM" in one.text for one in told)
    result = io.read_reconstruction(task.output)
    assert "kept" not in result.provenance
    assert (
        result.errors
        == run_to_end(reconstruct(io.read_scan(scan_file), CHAIN.stages, device="cpu")).errors
    )


def test_the_checkpoint_of_another_recipe_is_not_used(scan_file, tmp_path):
    task = task_of(CHAIN, scan_file, tmp_path / "out.h5")
    killed_at(task, "reconstruction", 2)
    other = replace(CHAIN, stages=(RpieOptions(epochs=2),))
    report = run_task(task_of(other, scan_file, tmp_path / "out.h5"), hush, never)
    assert (report.state, report.resumed_from, report.epochs) == ("done", 0, 2)
    assert "began anew: the checkpoint is of another scan or recipe" in report.notes


def test_a_checkpoint_that_is_of_no_use_is_no_failure(scan_file, tmp_path):
    task = task_of(CHAIN, scan_file, tmp_path / "out.h5")
    beside(task.output).write_bytes(b"nothing of use")
    report = run_task(task, hush, never)
    assert (report.state, report.resumed_from, report.epochs) == ("done", 0, 6)
    assert any(note.startswith("began anew: out.h5.autosave: ") for note in report.notes)


def test_a_checkpoint_that_an_engine_refuses_is_no_failure(scan_file, tmp_path, monkeypatch):
    task = task_of(CHAIN, scan_file, tmp_path / "out.h5")
    killed_at(task, "reconstruction", 2)
    monkeypatch.setattr("napari_ptycho.engines.resuming.KIND", "training")
    report = run_task(task, hush, never)
    assert (report.state, report.resumed_from, report.epochs) == ("done", 0, 6)
    assert any(note.startswith("began anew: the checkpoint is of a ") for note in report.notes)


def test_a_checkpoint_that_the_denoiser_refuses_does_not_cost_the_engines(scan_file, tmp_path):
    step = DenoiseStep("phase", DenoiseOptions(iterations=6, stop="none"))
    task = task_of(replace(CHAIN, denoise=step), scan_file, tmp_path / "out.h5")
    killed_at(task, "denoising", 2)
    path = beside(task.output)
    found = read_checkpoint(path)
    write_checkpoint(replace(found, key="another"), path, found.about)
    told = []
    report = run_task(task, told.append, never)
    assert (report.state, report.resumed_from) == ("done", 6)
    assert any(note.startswith("began anew: the checkpoint is of another") for note in report.notes)
    assert not any("DM" in one.text for one in told)


def test_a_task_that_is_stopped_keeps_what_was_reached(scan_file, tmp_path):
    told = []
    recipe = Recipe("long", stages=(RpieOptions(epochs=100_000),))
    task = replace(task_of(recipe, scan_file, tmp_path / "out.h5"), autosave_s=60.0)
    report = run_task(task, told.append, lambda: len(told) > 3)
    assert report.state == "stopped"
    assert report.message == f"stopped: {told[3].text}"
    assert 0 < report.epochs < 100_000
    assert report.epochs == len(io.read_reconstruction(task.output).errors)
    assert read_report(task.output) == report
    names = ["out.h5", "out.h5.report.json", "out.h5.thumbnail.png"]
    assert left_behind(tmp_path) == names


def test_a_task_that_was_stopped_goes_on(scan_file, tmp_path):
    told = []
    recipe = Recipe("longer", stages=(RpieOptions(epochs=12),))
    task = replace(task_of(recipe, scan_file, tmp_path / "out.h5"), autosave_s=0.0)
    report = run_task(task, told.append, lambda: any(one.done > 0 for one in told))
    assert report.state == "stopped"
    report = run_task(task, told.append, never)
    assert report.state == "done"
    assert 0 < report.resumed_from < 12
    whole = task_of(recipe, scan_file, tmp_path / "whole.h5")
    run_task(whole, told.append, never)
    gone_on, at_once = (io.read_reconstruction(one.output) for one in (task, whole))
    assert np.array_equal(gone_on.object, at_once.object)
    assert gone_on.errors == at_once.errors
    assert not any(name.endswith(".autosave") for name in left_behind(tmp_path))


def test_a_task_that_is_stopped_between_steps_says_before_which(scan_file, tmp_path):
    told = []
    recipe = replace(CHAIN, denoise=DenoiseStep("phase", ClassicalOptions("tv", strength=1.0)))
    task = task_of(recipe, scan_file, tmp_path / "out.h5")
    report = run_task(task, told.append, lambda: told[-1:] != [] and told[-1].done == 6)
    assert (report.state, report.message) == ("stopped", "stopped before it could denoise")
    assert report.epochs == 6
    told.clear()
    task = task_of(CHAIN, scan_file, tmp_path / "all.h5")
    report = run_task(task, told.append, lambda: told[-1:] != [] and told[-1].done == 6)
    assert (report.state, report.message) == ("done", "")  # nothing was left to do


def test_a_task_that_is_stopped_at_once_writes_nothing(scan_file, tmp_path):
    told = []
    report = run_task(
        task_of(CHAIN, scan_file, tmp_path / "out.h5"), told.append, lambda: bool(told)
    )
    assert (report.state, report.message) == ("stopped", "stopped before anything was reached")
    assert left_behind(tmp_path) == []


def test_every_task_has_one_report(scan_file, tmp_path):
    tasks = [
        task_of(CHAIN, scan_file, tmp_path / "1.h5"),
        task_of(CHAIN, tmp_path / "none.h5", tmp_path / "2.h5"),
        task_of(CHAIN, scan_file, tmp_path / "3.h5"),
        task_of(CHAIN, scan_file, tmp_path / "4.h5"),
    ]
    ended = []
    for event in run_here(tasks, lambda: len(ended) > 2):
        assert (event.progress is None) != (event.report is None)
        if event.report is not None:
            assert event.task.output == event.report.output
            ended.append(event.report)
    assert [one.state for one in ended] == ["done", "failed", "done", "stopped"]
    assert ended[3].message == "stopped before it began"
    assert not (tmp_path / "4.h5").exists()
    one, three = (io.read_reconstruction(tmp_path / name) for name in ("1.h5", "3.h5"))
    np.testing.assert_array_equal(one.object, three.object)


def test_what_nobody_expected_is_logged(scan_file, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("napari_ptycho.recipes.running.read_scan", lambda *_: {}["x"])
    with caplog.at_level(logging.ERROR):
        report = run_task(task_of(CHAIN, scan_file, tmp_path / "out.h5"), hush, never)
    assert (report.state, report.message) == ("failed", "unexpected: KeyError: 'x'")
    assert read_report(tmp_path / "out.h5") == report
    assert "Traceback" in caplog.text


def test_a_damaged_report(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read_report(tmp_path / "out.h5")
    path = recipes.report_path(tmp_path / "out.h5")
    for text in ("{", "[]", '{"scan": "x"}'):
        path.write_text(text)
        with pytest.raises(FileError, match=r"out\.h5\.report\.json"):
            read_report(tmp_path / "out.h5")


def test_the_checksum_of_a_scan_is_of_its_bytes(tmp_path):
    one, two = tmp_path / "1.h5", tmp_path / "2.h5"
    one.write_bytes(b"abc"), two.write_bytes(b"abc")
    assert checksums.of_scan(str(one)) == checksums.of_scan(str(two))
    two.write_bytes(b"abd")
    assert checksums.of_scan(str(one)) != checksums.of_scan(str(two))
    assert checksums.of_scan("sample:fibres") != checksums.of_scan("sample:star-64")
    with pytest.raises(FileError, match="no such file"):
        checksums.of_scan(str(tmp_path / "none.h5"))


def test_the_checksum_of_a_master_is_of_its_parts_too(tmp_path):
    h5py = pytest.importorskip("h5py")
    part, virtual = tmp_path / "x_data_000001.h5", tmp_path / "frames.h5"
    for path in (part, virtual):
        with h5py.File(path, "w") as file:
            file["data"] = np.arange(6)
    with h5py.File(tmp_path / "x_master.h5", "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink(part.name, "data")
        file["entry/data/data_000002"] = h5py.ExternalLink("not_there_yet.h5", "data")
        layout = h5py.VirtualLayout((6,), int)
        layout[:] = h5py.VirtualSource(virtual.name, "data", (6,))
        file.create_virtual_dataset("all", layout)
    master = tmp_path / "x_master.h5"
    assert set(checksums.parts(master)) == {master, part, virtual}
    seen = {checksums.of_scan(str(master))}
    for path in (part, virtual):
        with h5py.File(path, "a") as file:
            file["data"][0] = 99
        seen.add(checksums.of_scan(str(master)))
    assert len(seen) == 3


def test_the_checksum_of_a_folder_is_of_its_files(tmp_path):
    (tmp_path / "1.tif").write_bytes(b"a")
    seen = {checksums.of_scan(str(tmp_path))}
    (tmp_path / "2.tif").write_bytes(b"a")
    seen.add(checksums.of_scan(str(tmp_path)))
    (tmp_path / "2.tif").rename(tmp_path / "3.tif")
    seen.add(checksums.of_scan(str(tmp_path)))
    (tmp_path / ".hidden").write_bytes(b"a")
    seen.add(checksums.of_scan(str(tmp_path)))
    assert len(seen) == 3
