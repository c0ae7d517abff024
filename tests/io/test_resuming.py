"""What jobs with checkpoints share: digests, and jobs within jobs."""

from dataclasses import dataclass
from typing import Annotated

import dask.array as da
import numpy as np
import pytest

from napari_ptycho.errors import JobError
from napari_ptycho.io import resuming
from napari_ptycho.io.autosave import Checkpoint, flat, read_checkpoint
from napari_ptycho.io.resuming import Nest, digest, inner, outer, saving
from napari_ptycho.options import Options, Range


@dataclass(frozen=True)
class Few(Options):
    number: Annotated[int, Range(0, 9), "A number."] = 3


def test_a_digest_tells_jobs_apart(rng):
    array = rng.random((4, 5), np.float32)
    other = array.copy()
    other[3, 4] += 1
    jobs = [
        (array, Few()),
        (other, Few()),
        (array.astype(np.float64), Few()),
        (array.reshape(5, 4), Few()),
        (array, Few(4)),
        (array, None),
        ({"a": array}, Few()),
        ([array, array], Few()),
        (array, [array, Few()]),
    ]
    assert len({digest(*job) for job in jobs}) == len(jobs)
    assert digest(array, Few()) == digest(array.copy(), Few(3))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_of_large_arrays_some_rows_are_read_lazy_or_not(rng, monkeypatch):
    monkeypatch.setattr(resuming, "LARGE_BYTES", 1000)
    array = rng.random((200, 8))
    asked = []

    class Rows:
        shape, dtype = array.shape, array.dtype

        def __len__(self):
            return len(array)

        def __getitem__(self, at):
            asked.append(len(at))
            return array[at]

    found = digest(array)
    assert digest(Rows()) == digest(da.from_array(array, chunks=50)) == found
    assert asked == [resuming.LOOKED_AT]
    other = array.copy()
    other[-1] = 0
    assert digest(other) != found


def test_a_job_within_a_job_writes_the_checkpoints_of_the_outer(kept, rng):
    values, autosave = rng.random(5), kept(3, 9)
    nest = Nest("denoising", "outer", 20.0, autosave)
    part = nest.around("part", {"known": values}, lambda done: 2 * done)
    arrays, state = flat({"weights": values + 1, "name": "inner"})

    def checkpoint(done):
        return Checkpoint("training", float(done), 10.0, "inner", arrays, state)

    states = saving(iter(range(6)), part, checkpoint)
    assert list(states) == list(range(6))
    part.discard()  # the outer job goes on
    first, second = autosave.all
    assert (first.kind, first.done, first.total, first.key) == ("denoising", 4, 20, "outer")
    assert second.done == 10
    tree = nest.opened(read_checkpoint(autosave.path))
    np.testing.assert_array_equal(tree["known"], values)
    found = outer(tree["part"])
    assert (found.kind, found.done, found.key) == ("training", 5, "inner")
    np.testing.assert_array_equal(found.tree["weights"], values + 1)
    assert inner(found)["tree"]["name"] == "inner"
    with pytest.raises(JobError, match="of another denoising"):
        Nest("denoising", "another", 20.0, None).opened(first)


def test_closing_closes_the_algorithm():
    closed = []

    def algorithm():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    states = saving(algorithm(), None, lambda state: None)
    assert next(states) == 1
    states.close()
    assert closed == [True]
