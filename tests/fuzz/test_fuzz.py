"""Damaged files of every format: only a `PtychoError` may come of them (see executor.py)."""

from pathlib import Path
from random import Random

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ptycho.io import FORMATS

from . import executor, mutate_hdf5, trees
from .cases import cases, untouched
from .executor import Case, Worker, outcome
from .seeds import hdf5, seeds

FILES = 350
KNOWN = sorted(
    {
        name.partition("@")[0].strip("/")
        for tree in vars(trees).values()
        if isinstance(tree, dict)
        for name in tree
        if "/" in name or name.partition("@")[0] in ("data", "dp", "points", "object", "probe")
    }
    | set(trees.cxi(trees.XYZ))
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return seeds(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    one = Worker(tmp_path_factory.mktemp("worker"))
    yield one
    one.stop()


def told(result):
    return f"{result.case.seed}: {result.case.how}: {result.finding}: {result.text}"


def test_every_seed_is_read_as_what_it_is(sound, tmp_path):
    """Else fuzzing would only see the recognisers."""
    expected = {seed.name: seed.expected for seed in sound}
    results = list(executor.run(map(untouched, sound), tmp_path, 1))
    assert [told(result) for result in results if result.finding] == []
    assert {result.case.seed: outcome(result) for result in results} == expected


def test_damaged_files(sound, tmp_path):
    results = list(executor.run(cases(sound, 7, FILES), tmp_path, 2))
    assert [told(result) for result in results if result.finding] == []
    assert len({result.case.seed for result in results}) > len(sound) / 2
    kinds = {outcome(result) for result in results}
    assert {"opened as a scan", "FileError", "ScanError"} <= kinds  # not all one and the same
    assert not list(tmp_path.rglob("canary"))


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(start=st.integers(0, 2**32), names=st.lists(st.sampled_from(KNOWN), min_size=1, max_size=12))
def test_any_tree_of_known_names(worker, start, names):
    how, content = mutate_hdf5.grown(Random(start), names)
    result = worker.run(Case("tree", how, {"main": content}, "main", {"tree": True}))
    assert not result.finding, told(result)


# The executor sees what it must see


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A worker that does what the file says."""
    folder = tmp_path_factory.mktemp("hostile")
    script = folder / "script.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(executor.SCRIPT.parent)!r})\nimport worker\n"
        "worker.open_all = lambda job: exec(open(job['path']).read()) or []\nworker.main()\n"
    )
    one = Worker(folder, script)
    yield one
    one.stop()


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("1 + 1", ""),
        ("{}['gone']", "exception KeyError"),
        ("x = bytearray(5 * 2**30)", "memory"),
        ("x = bytearray(2**28)", "memory"),
        ("import pickle; pickle.loads(pickle.dumps(pickle.Pickler))", "forbidden"),
        ("import os; os.system('true')", "forbidden"),
        ("import subprocess; subprocess.run(['true'])", "forbidden"),
        ("open('/var/tmp/napari-ptycho-fuzz', 'w').close()", "forbidden"),
        ("open(job['path'] + '2', 'w').close()", "forbidden"),
        ("import os; os.abort()", "death -6"),
        ("import time; time.sleep(60)", "hang"),
    ],
)
def test_the_executor_sees_it(hostile, monkeypatch, code, finding):
    hostile.start()
    monkeypatch.setattr(executor, "MOST_BYTES", 2**27 + 2**26)
    monkeypatch.setattr(executor, "MOST_SECONDS", 1.0 if finding == "hang" else 60.0)
    result = hostile.run(Case("made", "", {"main": code.encode()}, "main"))
    assert result.finding == finding, told(result)
    Path("/var/tmp/napari-ptycho-fuzz").unlink(missing_ok=True)


def test_a_finding_is_kept(worker, tmp_path):
    result = executor.Result(Case("seed", "flip", {"main": b"abc"}, "main"), [], "hang", "slow")
    folder = executor.keep(result, tmp_path, 3)
    assert (folder / "main").read_bytes() == b"abc"
    assert "flip" in (folder / "finding.txt").read_text()


def test_the_same_numbers_give_the_same_files(sound):
    first, second = ([case.files for case in cases(sound, 5, 20)] for _ in range(2))
    assert first == second
    assert first != [case.files for case in cases(sound, 6, 20)]


def test_seeds_are_small_and_of_every_format(sound):
    assert max(len(data) for seed in sound for data in seed.files.values()) < 300_000
    assert len(sound) > 2 * len(FORMATS)


def test_trees_are_sound_hdf5(tmp_path):
    path = tmp_path / "made.h5"
    path.write_bytes(hdf5({"a/b": np.arange(3), "a/b@units": "m", "@title": "x"}))
    with h5py.File(path) as file:
        assert file["a/b"][()].tolist() == [0, 1, 2]
        assert (file["a/b"].attrs["units"], file.attrs["title"]) == ("m", "x")
