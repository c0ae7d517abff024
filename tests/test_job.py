import time
from dataclasses import dataclass, field

import pytest

from napari_ptycho.errors import JobError, PtychoError
from napari_ptycho.job import Update, run, run_to_end


@dataclass
class State:
    done: float = 0
    history: dict = field(default_factory=lambda: {"error": []})


def count(n, closed=None, pause=0.0):
    """An algorithm of n steps that uses one state over and over."""
    state = State()
    try:
        for step in range(n):
            time.sleep(pause)
            state.done = step + 1
            state.history["error"].append(1 / (step + 1))
            yield state
    finally:
        if closed is not None:
            closed.append(state.done)


def test_the_last_state_always_arrives():
    updates = list(run(count(500), 500, lambda state: state.done, every_s=60))
    assert [update.result for update in updates] == [1, 500]
    assert updates[-1].done == updates[-1].total == 500
    assert len(updates[-1].history["error"]) == 500


def test_each_update_is_frozen_when_it_is_made():
    updates = list(run(count(3), 3, lambda state: state.done, every_s=0))
    assert updates[0].history == {"error": (1.0,)}
    assert [update.done for update in updates][-1] == 3
    with pytest.raises(AttributeError):
        updates[0].done = 7


def test_freezing_takes_a_tenth_of_the_time():
    frozen = []

    def freeze(state):
        time.sleep(0.02)
        frozen.append(state.done)

    list(run(count(100, pause=0.002), 100, freeze, every_s=0))
    assert len(frozen) <= 4


def test_closing_a_job_closes_its_algorithm():
    closed = []
    job = run(count(10, closed), 10, lambda state: state.done, every_s=0)
    assert next(job).result == 1
    job.close()
    assert closed == [1]


def test_an_iterator_without_close_will_do():
    assert [u.result for u in run(iter([State(1), State(2)]), 2, lambda s: s.done, 60)] == [1, 2]


def test_notes_come_along():
    notes = []
    job = run(count(3), 3, lambda state: notes.append("fell back"), 0, lambda: tuple(notes))
    assert next(job).notes == ("fell back",)


def test_an_error_of_the_algorithm_reaches_the_caller():
    def broken():
        yield State(1)
        raise RuntimeError("out of memory")

    job = run(broken(), 2, lambda state: state.done)
    assert next(job).result == 1
    with pytest.raises(RuntimeError, match="out of memory"):
        next(job)


def test_run_to_end():
    assert run_to_end(run(count(5), 5, lambda state: state.done)) == 5


def test_a_job_without_a_result_is_an_error():
    with pytest.raises(JobError, match="ended before it reached a result"):
        run_to_end(iter([]))
    assert issubclass(JobError, PtychoError)
    assert not issubclass(JobError, RuntimeError)


def test_an_update_without_notes_has_none():
    assert Update(1.0, 2.0, {}, None).notes == ()
