import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from napari_ptycho.engines import ENGINES
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.recipes import Recipe, checksum, write_report
from napari_ptycho.recipes.batch import followed, plan
from napari_ptycho.recipes.batch_files import MANIFEST, Manifest, scans_of
from napari_ptycho.recipes.checksums import of_scan
from napari_ptycho.recipes.report import Report
from napari_ptycho.recipes.tasks import Event

RECIPE = Recipe(title="test", stages=(ENGINES["epie"](epochs=3),))


@pytest.fixture
def scans(tmp_path):
    """Three scans in two folders; two of them have the same file name."""
    paths = [
        tmp_path / "in" / name for name in ("one/scan_10.h5", "one/scan_2.h5", "two/scan_2.h5")
    ]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            file["number"] = number
    return paths


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def planned(scans, out, recipe=RECIPE, **how):
    return plan(recipe, [str(scan) for scan in scans], out, **how)


def end(task, state="done", recipe=RECIPE):
    """Write what a task leaves behind."""
    report = Report(
        task.scan,
        task.output,
        state,
        scan_checksum=of_scan(task.scan),
        recipe_checksum=checksum(recipe),
    )
    Path(task.output).write_text("the result")
    write_report(report)
    return Event(task, report=report)


def do(batch, state="done", recipe=RECIPE):
    return list(followed(batch, (end(task, state, recipe) for task in batch.todo)))


def expanded(tmp_path, *patterns):
    root = tmp_path / "in"
    found = scans_of([str(root / pattern) for pattern in patterns], Manifest(tmp_path / "out"))
    return [str(Path(scan).relative_to(root)) for scan in found]


def test_patterns_files_and_folders(scans, tmp_path):
    (tmp_path / "in" / "one" / "notes.txt").write_text("not a scan")
    assert expanded(tmp_path, "one/*.h5") == ["one/scan_2.h5", "one/scan_10.h5"]
    assert expanded(tmp_path, "**/scan_2.h5") == ["one/scan_2.h5", "two/scan_2.h5"]
    assert expanded(tmp_path, "one") == ["one/scan_2.h5", "one/scan_10.h5"]
    assert expanded(tmp_path, "two/scan_2.h5", "**/*.h5") == [
        "two/scan_2.h5",
        "one/scan_2.h5",
        "one/scan_10.h5",
    ]


def test_a_name_with_brackets_is_a_file_if_it_is_there(tmp_path):
    path = tmp_path / "in" / "scan[1].h5"
    path.parent.mkdir()
    path.write_text("x")
    assert expanded(tmp_path, "scan[1].h5") == ["scan[1].h5"]


def test_detector_files_beside_their_master_are_no_scans(tmp_path):
    for name in ("a_master.h5", "a_data_000001.h5", "b_data_000001.h5"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("x")
    assert expanded(tmp_path, "*.h5") == ["a_master.h5", "b_data_000001.h5"]


def test_a_pattern_that_names_nothing(tmp_path):
    with pytest.raises(FileError, match=r"nothing\*.h5: names no scan"):
        expanded(tmp_path, "nothing*.h5")


def test_results_have_names_of_their_own_and_keep_them(scans, out):
    batch = planned(scans[:2], out)
    assert [Path(task.output).name for task in batch.tasks] == ["scan_10.h5", "scan_2.h5"]
    batch = planned([scans[2], *scans[:2]], out)
    names = {task.scan: Path(task.output).name for task in batch.tasks}
    assert list(names.values()) == ["two-scan_2.h5", "scan_10.h5", "scan_2.h5"]
    assert all(task.output.startswith(str(out)) for task in batch.tasks)


def test_results_beside_their_scans_replace_none_and_are_no_scans(scans):
    folder = scans[0].parent
    batch = planned([folder / "*.h5"], folder)
    assert {Path(task.output).name for task in batch.tasks} == {"one-scan_2.h5", "one-scan_10.h5"}
    do(batch)
    assert len(planned([folder / "*"], folder).tasks) == 2


def test_samples_are_scans(out):
    batch = plan(RECIPE, ["sample:fibres"], out)
    assert [(task.scan, Path(task.output).name) for task in batch.todo] == [
        ("sample:fibres", "fibres.h5")
    ]
    do(batch)
    assert plan(RECIPE, ["sample:fibres"], out).todo == ()


def test_what_is_done_and_unchanged_is_skipped(scans, out):
    batch = planned(scans, out)
    assert len(batch.todo) == 3
    do(batch)
    again = planned(scans, out)
    assert again.todo == ()
    assert {report.state for report in again.reports.values()} == {"done"}
    assert len(planned(scans, out, again=True).todo) == 3


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_what_is_not_done_is_done_again(scans, out, state):
    do(planned(scans, out), state)
    assert len(planned(scans, out).todo) == 3


def test_a_changed_recipe_is_done_again_but_not_for_its_title(scans, out):
    do(planned(scans, out))
    assert planned(scans, out, replace(RECIPE, title="other")).todo == ()
    changed = replace(RECIPE, stages=(ENGINES["epie"](epochs=4),))
    assert len(planned(scans, out, changed).todo) == 3


def test_a_changed_scan_is_done_again_and_a_touched_one_is_not(scans, out):
    do(planned(scans, out))
    with h5py.File(scans[0], "r+") as file:
        file["number"][...] = 7
    os.utime(scans[0], ns=(0, 0))
    os.utime(scans[1], ns=(0, 0))
    assert [task.scan for task in planned(scans, out).todo] == [str(scans[0])]


def test_a_lost_result_or_report_is_done_again(scans, out):
    done = [Path(event.task.output) for event in do(planned(scans, out))]
    done[0].unlink()
    done[1].with_name(done[1].name + ".report.json").write_text("{")
    assert len(planned(scans, out).todo) == 2


def test_checksums_are_not_computed_again(scans, out, monkeypatch):
    do(planned(scans, out))
    read = []
    monkeypatch.setattr(
        "napari_ptycho.recipes.checksums.of_scan", lambda scan: read.append(scan) or of_scan(scan)
    )
    os.utime(scans[1], ns=(0, 0))
    assert planned(scans, out).todo == ()
    assert read == [str(scans[1])]
    assert planned(scans, out).todo == ()
    assert read == [str(scans[1])]


def test_a_linked_file_counts_too(tmp_path, out):
    data, master = tmp_path / "frames.h5", tmp_path / "scan.h5"
    with h5py.File(data, "w") as file:
        file["data"] = 1
    with h5py.File(master, "w") as file:
        file["data"] = h5py.ExternalLink("frames.h5", "data")
    do(planned([master], out))
    assert planned([master], out).todo == ()
    with h5py.File(data, "r+") as file:
        file["data"][...] = 2
    assert len(planned([master], out).todo) == 1


def test_a_file_that_changes_while_it_is_done_is_done_again(scans, out):
    batch = planned(scans, out)
    done = [end(task) for task in batch.todo]
    with h5py.File(scans[0], "r+") as file:
        file["number"][...] = 7
    list(followed(batch, iter(done)))
    assert [task.scan for task in planned(scans, out).todo] == [str(scans[0])]


def test_a_broken_scan_does_not_end_the_plan(scans, out):
    scans[0].write_bytes(b"\x89HDF\r\n\x1a\nbroken")
    assert len(planned(scans, out).todo) == 3


def test_a_damaged_manifest_is_told(scans, out):
    planned(scans, out)
    (out / MANIFEST).write_text("[]")
    with pytest.raises(FileError, match="not the list of scans of a batch"):
        planned(scans, out)


def test_a_recipe_that_does_nothing_is_refused_before_anything_is_made(scans, out):
    with pytest.raises(OptionsError, match="reconstructs nothing"):
        planned(scans, out, Recipe())
    assert not out.exists()


def test_importing_batches_is_quick():
    code = (
        "import sys, napari_ptycho.recipes.batch, napari_ptycho.cluster, napari_ptycho.cli.batch\n"
        "print({'torch', 'h5py', 'distributed'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
