from types import SimpleNamespace

import pytest

from napari_ptycho import device
from napari_ptycho.cluster import schedulers
from napari_ptycho.cluster.following import Following
from napari_ptycho.cluster.schedulers import Cluster
from napari_ptycho.recipes.tasks import Task


def task(on="auto"):
    return Task("", "sample:fibres", "/out.h5", device=on)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(device, "pick", lambda name: SimpleNamespace(type="cuda"))
    monkeypatch.setattr(device, "each", lambda names: ["cuda:0", "cuda:1"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_by_the_names_that_this_process_may_use(two_gpus, monkeypatch):
    assert schedulers._gpus([task()]) == ["0", "1"]
    assert schedulers._gpus([task("cuda")]) == ["0", "1"]
    assert schedulers._gpus([task("cpu")]) == []
    assert schedulers._gpus([task("cuda:1")]) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert schedulers._gpus([task()]) == ["5", "7"]


def test_each_local_worker_gets_one_gpu(tmp_path):
    with schedulers._cluster(["5", "7"], str(tmp_path)) as cluster:
        specs = []
        for _ in range(2):
            cluster.worker_spec.update(spec := cluster.new_worker_spec())
            specs += spec.values()
        cluster.worker_spec.clear()
    assert [spec["options"]["env"] for spec in specs] == [
        {"CUDA_VISIBLE_DEVICES": "5"},
        {"CUDA_VISIBLE_DEVICES": "7"},
    ]
    assert [spec["options"]["resources"] for spec in specs] == [{"GPU": 1}] * 2


@pytest.mark.parametrize(
    ("on", "cores", "count"),
    [("auto", 1, 1), ("cpu", 2, 2), ("auto", 4, 2), ("auto", 64, 16), ("cuda:1", 64, 1)],
)
def test_processes_share_the_cores(on, cores, count):
    assert schedulers._processes([task(on)], cores) == count


@pytest.mark.parametrize(
    ("workers", "on", "needed", "sentence"),
    [
        ([{"GPU": 1}, {}], "auto", {"GPU": 1}, ""),
        ([{"GPU": 1, "SCAN": 1}], "cpu", {"SCAN": 1}, ""),
        ([{"GPU": 1}], "cpu", {}, ""),
        ([], "auto", {}, "no worker is there yet"),
        ([{}], "auto", {}, ""),
    ],
)
def test_tasks_ask_for_what_workers_offer(workers, on, needed, sentence):
    following, said = listening(workers, 1)
    assert following._needed([task(on)]) == needed
    assert len(said) == bool(sentence)
    assert sentence in "".join(said)


def test_workers_with_several_threads_and_no_resource_are_told_of():
    following, said = listening([{}], 8)
    assert following._needed([task()]) == {}
    assert "start them with --resources SCAN=1" in said[0]


def listening(workers, threads):
    info = {n: {"resources": found, "nthreads": threads} for n, found in enumerate(workers)}
    client = SimpleNamespace(
        scheduler_info=lambda: {"workers": info}, subscribe_topic=lambda *_: None
    )
    said = []
    return Following(Cluster(client, "tcp://there"), 2, said.append, None), said
