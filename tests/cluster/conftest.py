import logging
from contextlib import contextmanager

import dask
import pytest
from distributed import Client, LocalCluster

from napari_ptycho.recipes.tasks import Task


@contextmanager
def started(workers=2):
    """Give a cluster of worker processes of two threads, each for one scan at a time."""
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "5 minutes"}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=2,
            resources={"SCAN": 1},
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster


@pytest.fixture(scope="session")
def scheduler():
    """The address of one that all tests share."""
    with started() as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def own_cluster():
    """For what a cluster does not recover from."""
    with started() as cluster:
        yield cluster


@pytest.fixture
def own_worker():
    """The same with one worker, where one is enough: each takes seconds to start."""
    with started(1) as cluster:
        yield cluster


@pytest.fixture
def two_workers(scheduler):
    """The same, once both workers are there: another test may have killed one."""
    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=300)
    return scheduler


@pytest.fixture
def tasks(tmp_path):
    """Six tasks whose files are there."""

    def one(number):
        scan = tmp_path / f"{number}.h5"
        scan.touch()
        return Task("", str(scan), str(tmp_path / f"{number}.out"))

    return [one(number) for number in range(6)]
