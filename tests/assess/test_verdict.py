"""What a check says at the end: the verdict, in words and as data."""

import json
from itertools import product

import numpy as np
import pytest

from napari_ptycho.assess.lattices import Lattice
from napari_ptycho.assess.photons import Support
from napari_ptycho.assess.verdict import LIMITS, Check, Evidence, Place, plain

AREA = np.ones((20, 20), bool)
GRID = Lattice((4.0, 4.0), (1, 1), 0.01, 9.0, 12.0)
STEPS = Lattice((9.3, 7.1), (1, 0), 0.01, 9.0, 12.0)
OLD_GRID = Lattice((4.0, 4.0), (1, 1), 0.01, 9.0, 12.0, in_original=True)
ADDED = Place(3, 4, -8.0, -0.2, "added")
OLD = Place(3, 4, -8.0, -0.2, "already in the original")


def found(t=None, held_out=True, **more):
    support = None if t is None else Support(t, t / 5, np.zeros(4), held_out)
    return Check("x", "phase", AREA, np.eye(20), support=support, **more)


@pytest.mark.parametrize(
    ("t", "held_out", "verdict"),
    [
        (-9, True, "supported"),
        (-9, False, "neutral"),  # its own photons support nothing
        (0, True, "neutral"),
        (0, False, "neutral"),
        (9, True, "contradicted"),
        (9, False, "neutral"),
        (None, True, "not tested"),
    ],
)
def test_the_photons_decide_and_only_those_that_were_held_out(t, held_out, verdict):
    alarm = Evidence("blobs", "a blob", True)
    for evidence, old in product([(), (alarm,)], [False, True]):
        more = {"places": (OLD,), "lattices": (OLD_GRID,)} if old else {}
        one = found(t, held_out, evidence=evidence, **more)
        assert one.verdict == verdict
        word = {"not tested": "Not tested", "neutral": "Neutral"}.get(verdict, verdict.title())
        assert one.sentence().startswith(f"{word}: ")
        assert ("ook at: blobs." in one.sentence()) == (bool(evidence) and verdict[0] != "c")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"places": (ADDED, OLD)}, "1 place in it"),
        ({"places": (ADDED, ADDED)}, "2 places in it"),
        ({"lattices": (GRID, GRID, OLD_GRID)}, "a lattice of period 4"),
        ({"lattices": (GRID, STEPS)}, "a lattice of period 4 and a lattice of period 9.3 x 7.1"),
        ({"places": (ADDED,), "lattices": (GRID,)}, "1 place in it and a lattice of period 4"),
    ],
)
def test_a_part_that_is_wrong_is_enough_whatever_the_rest(more, words):
    for t, held_out in ((-9, True), (0, True), (-9, False), (9, False)):
        one = found(t, held_out, **more)
        assert one.verdict == "contradicted"
        assert one.sentence() == f"Contradicted: the measured photons reject {words}."
    whole = found(9, True, **more)
    assert "reject the image as a whole" in whole.sentence()
    assert found(None, **more).verdict == "not tested"


def test_all_that_is_wrong_is_listed():
    one = found(9, places=(ADDED,), lattices=(GRID,))
    assert one.sentence().endswith("image as a whole, 1 place in it and a lattice of period 4.")


def test_data_are_strict_json():
    numbers = {
        "nan": float("nan"),
        "inf": np.inf,
        "f4": np.float32(2.5),
        "bool": np.bool_(True),
        "array": np.array([1.0, np.nan]),
        "deep": [{"a": (np.int64(3), None)}],
        2: "two",
    }
    evidence = Evidence("grid", "said", True, numbers)
    one = found(9, evidence=(evidence,), places=(ADDED,), notes=("a note",))
    said = json.loads(json.dumps(one.as_dict(), allow_nan=False))
    [told] = said["evidence"]
    assert told == {
        **{"test": "grid", "alarm": True, "sentence": "said", "nan": None, "inf": None},
        **{"f4": 2.5, "bool": True, "array": [1.0, None], "deep": [{"a": [3, None]}], "2": "two"},
    }
    assert said["verdict"] == "contradicted"
    assert said["sentence"] == one.sentence()
    assert said["held_out"] is True
    assert said["places"] == [{"y": 3, "x": 4, "score": -8.0, "wanted": -0.2, "kind": "added"}]
    assert said["limits"] == list(LIMITS)
    assert said["notes"] == ["a note"]
    assert found().as_dict()["held_out"] is None
    assert plain(np.float64("-inf")) is None
