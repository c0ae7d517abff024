"""The queue on the disk: order, who writes what, damage, several at once."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from napari_ptycho import jobs, recipes
from napari_ptycho.errors import FileError, JobError, OptionsError
from napari_ptycho.jobs import lock
from napari_ptycho.jobs.adding import add_scans
from napari_ptycho.jobs.store import FOLDER, SILENT_S, Store
from napari_ptycho.recipes.tasks import Task


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "jobs")


def task(name):
    return Task("recipe", "sample:star", f"/results/{name}.h5")


def add(store, *names):
    return [store.add(task(name), name) for name in names]


def titles(store):
    return [job.title for job in store.all()]


def tell(store, job, state, **values):
    """As the agent does."""
    now = time.time()
    ended = 0.0 if state == "running" else now
    store.tell(replace(job, state=state, started=now, ended=ended, agent=lock.me(), **values))


def test_jobs_come_back_as_they_were(store, monkeypatch):
    job = store.add(replace(task("a"), memory_bytes=5, device="cpu"), "α · β", "tcp://host:8786")
    other = Store(store.folder)
    assert other.all() == (replace(job, rank=1),)
    tell(store, job, "running", done=3.0, total=10.0, text="epoch 3", warnings=("thin",))
    [seen] = other.all()
    assert (seen.state, seen.fraction, seen.text, seen.rank) == ("running", 0.3, "epoch 3", 0)
    assert (seen.task, seen.warnings) == (job.task, ("thin",))
    monkeypatch.setenv(FOLDER, str(store.folder))
    assert Store().get(job.id[:5]).title == "α · β"


def test_the_queue_is_in_order_and_can_be_changed(store):
    a, b, c, d = add(store, *"abcd")
    assert titles(store) == list("abcd")
    store.move(c.id, -1)
    store.move(a.id, 1)
    assert titles(store) == list("cabd")
    store.move(d.id, -9)
    assert titles(store) == list("dcab")
    add(store, "e")
    assert titles(store) == list("dcabe")
    tell(store, c, "done")
    tell(store, b, "running")
    assert titles(store) == list("bdaec")
    assert [job.rank for job in store.all()] == [0, 1, 2, 3, 0]
    with pytest.raises(JobError, match="only jobs that wait"):
        store.move(b.id, 1)


def test_stop_again_remove(store):
    a, b = add(store, "a", "b")
    store.stop(a.id)
    stopped = store.get(a.id)
    assert stopped.state == "stopped"
    assert stopped.ended == stopped.stopping > 0
    tell(store, b, "running")
    assert store.wants(b)
    store.stop(b.id)
    assert not store.wants(b)
    assert store.get(b.id).state == "running"  # until its agent says that it has stopped
    with pytest.raises(JobError, match="only failed, stopped, interrupted"):
        store.again(b.id)
    with pytest.raises(JobError, match="stop it before"):
        store.remove(b.id)
    tell(store, b, "failed", message="why")
    for job in (b, a):
        store.again(job.id)
    assert [(job.title, job.state, job.run) for job in store.all()] == [
        ("b", "waiting", 2),
        ("a", "waiting", 2),
    ]
    assert store.get(b.id).message == ""
    store.stop(a.id)
    store.remove(a.id)
    assert titles(store) == ["b"]
    assert not list(store.folder.glob(f"{a.id}*"))
    for ident in (a.id, ""):
        with pytest.raises(JobError, match="no job begins"):
            store.get(ident)


def test_an_old_place_in_the_queue_is_not_kept(store):
    a, b, c = add(store, *"abc")
    store.move(c.id, -2)
    store.stop(c.id)
    store.again(c.id)
    assert titles(store) == list("abc")
    assert b.id != a.id


def test_two_jobs_do_not_write_one_result(store):
    [a] = add(store, "a")
    with pytest.raises(JobError, match=r"a is waiting and writes .*a\.h5 too"):
        store.add(task("a"), "twin")
    store.stop(a.id)
    twin = store.add(task("a"), "twin")
    with pytest.raises(JobError, match="twin is waiting"):
        store.again(a.id)
    assert store.get(twin.id).rank == 1


@pytest.mark.parametrize("where", ["", "host", "http://host", "tcp://"])
def test_where_is_this_computer_or_an_address(store, where):
    with pytest.raises(OptionsError, match="no address"):
        store.add(task("a"), "a", where)
    assert store.all() == ()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 99}', "\0\0"])
def test_damage_hides_one_job_only(store, damage):
    a, b, c = add(store, *"abc")
    for job in (b, c):
        tell(store, job, "done")
    (store.folder / f"{a.id}.job.json").write_text(damage)
    (store.folder / f"{b.id}.state.json").write_text(damage)
    (store.folder / "queue.json").write_text(damage)
    found = {job.title: job for job in store.all()}
    assert set(found) == {"b", "c"}
    assert found["c"].state == "done"
    assert found["b"].state == "interrupted"
    assert "cannot be read" in found["b"].message
    assert len(store.damaged) == 3
    assert a.id in "".join(store.damaged)
    store.again(b.id)
    assert store.get(b.id).state == "waiting"


def test_a_file_under_another_name_is_no_job(store):
    [a] = add(store, "a")
    copy = json.loads((store.folder / f"{a.id}.job.json").read_text())
    (store.folder / "copy.job.json").write_text(json.dumps({**copy, "id": "../../x"}))
    assert titles(store) == ["a"]


def test_what_ran_when_its_agent_died_was_interrupted(store):
    [a] = add(store, "a")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    tell(store, a, "running")
    assert store.get(a.id).state == "running"
    about = {**lock.me(), "pid": dead.pid}
    dead.wait()
    store.tell(replace(a, state="running", started=time.time(), agent=about))
    assert store.get(a.id).state == "interrupted"


def test_a_silent_agent_of_another_computer_is_taken_for_dead(store):
    [a] = add(store, "a")
    elsewhere = {"host": "elsewhere", "pid": 1, "created": 0.0}
    store.tell(replace(a, state="running", started=time.time(), agent=elsewhere))
    assert store.get(a.id).state == "running"
    then = time.time() - 2 * SILENT_S
    os.utime(store.folder / f"{a.id}.state.json", (then, then))
    assert store.get(a.id).state == "interrupted"
    store.breathe(a)
    assert store.get(a.id).state == "running"


def test_only_what_has_changed_is_read_again(store, monkeypatch):
    known = add(store, *"abc")
    store.all()
    read = []
    real = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path: read.append(path.name) or real(path))
    before = store.all()
    assert (store.all(), read) == (before, [])
    tell(Store(store.folder), known[1], "running")
    store.all()
    assert read == [f"{known[1].id}.state.json"]


def test_many_writers_lose_nothing(store):
    """Three processes add and move at the same time while this one reads."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(store.folder), str(number)])
        for number in range(3)
    ]
    while any(writer.poll() is None for writer in writers):
        store.all()
        assert store.damaged == ()
    assert [writer.returncode for writer in writers] == [0] * 3
    assert sorted(titles(store)) == sorted(f"{n}-{i}" for n in range(3) for i in range(6))
    assert not list(store.folder.glob("*.tmp"))


WRITER = """
import sys
from napari_ptycho.jobs import Store
from napari_ptycho.recipes.tasks import Task
store = Store(sys.argv[1])
for i in range(6):
    name = f"{sys.argv[2]}-{i}"
    job = store.add(Task("r", "s", f"/{name}.h5"), name)
    store.move(job.id, -2)
"""


def test_scans_are_queued_all_or_none(store, tmp_path):
    recipe = tmp_path / "fast.toml"
    recipes.write(recipes.Recipe(title="fast"), recipe)
    scan, results = tmp_path / "one.cxi", tmp_path / "new" / "results"
    scan.touch()
    with pytest.raises(FileError, match=r"absent\.h5: no such file; correct its name"):
        add_scans(store, recipe, [str(scan), str(tmp_path / "absent.h5")], results)
    with pytest.raises(JobError, match="two scans"):
        add_scans(store, recipe, [str(scan), str(scan)], results)
    assert store.all() == ()
    found = add_scans(store, recipe, [str(scan), "sample:siemens-star"], results)
    assert [job.title for job in found] == ["one · fast", "siemens-star · fast"]
    assert [Path(job.task.output).name for job in found] == ["one.h5", "siemens-star.h5"]
    assert recipes.loads(found[0].task.recipe, "task").title == "fast"
    assert results.is_dir()
    (results / "one.h5").touch()
    store.stop(found[0].id)
    with pytest.raises(FileError, match="exists already"):
        add_scans(store, recipe, [str(scan)], results)


def test_a_queued_result_ends_as_the_form_of_its_recipe(store, tmp_path):
    recipe = tmp_path / "tiff.toml"
    output = recipes.OutputOptions(form="ome-tiff")
    recipes.write(recipes.Recipe(title="tiff", output=output), recipe)
    [job] = add_scans(store, recipe, ["sample:siemens-star"], tmp_path)
    assert Path(job.task.output).name == "siemens-star.ome.tif"


def test_importing_it_is_cheap():
    code = (
        "import sys, napari_ptycho.jobs, napari_ptycho.jobs.agent, napari_ptycho.jobs.adding\n"
        "print([name for name in ('torch', 'h5py', 'distributed') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    assert jobs.HERE == "this computer"
