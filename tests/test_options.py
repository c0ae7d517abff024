from dataclasses import dataclass, fields
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptycho.errors import OptionsError
from napari_ptycho.options import Options, Range, describe


@dataclass(frozen=True)
class Made(Options):
    """Made up."""

    count: Annotated[int, Range(1, 10), "How many."] = 3
    step: Annotated[float, Range(0, 2, 0.1), "How far."] = 0.5
    clip: Annotated[bool, "Whether to clip."] = False
    mode: Annotated[Literal["soft", "hard"], "Which."] = "soft"


def test_describe_tells_all_a_form_needs():
    count, step, clip, mode = describe(Made)
    assert (count.name, count.kind, count.default, count.help) == ("count", int, 3, "How many.")
    assert count.range == Range(1, 10)
    assert step.range.step == 0.1
    assert clip.kind is bool
    assert clip.range is None
    assert (mode.kind, mode.choices) == (str, ("soft", "hard"))
    assert len(describe(Made)) == len(fields(Made))


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0, 2**31 - 1, "0 to 2,147,483,647"),
        (0.001, 0.5, "0.001 to 0.5"),
        (-9999, 10_000, "-9999 to 10,000"),
        (0, 1e12, "0 to 1e+12"),
    ],
)
def test_a_range_is_told_as_a_person_reads_it(low, high, text):
    assert Range(low, high).text == text


@dataclass(frozen=True)
class Bare(Options):
    """No annotation."""

    count: int = 3


@dataclass(frozen=True)
class NoDefault(Options):
    """No default."""

    count: Annotated[int, Range(1, 10), "How many."]


@pytest.mark.parametrize("cls", [Bare, NoDefault])
def test_a_badly_written_class_is_a_bug_not_a_users_error(cls):
    with pytest.raises(TypeError, match=r"count needs Annotated\[type"):
        describe(cls)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"count": 11}, "Made.count is 11; it must lie in [1, 10]"),
        ({"count": 0}, "it must lie in [1, 10]"),
        ({"count": 2.0}, "it must be of type int"),
        ({"count": True}, "it must be of type int"),
        ({"count": "3"}, "it must be of type int"),
        ({"step": 2.5}, "it must lie in [0, 2]"),
        ({"step": float("nan")}, "it must lie in [0, 2]"),
        ({"step": True}, "it must be of type float"),
        ({"clip": 1}, "it must be of type bool"),
        ({"mode": "medium"}, "it must be one of soft, hard"),
        ({"colour": 3}, "Made has no 'colour'; it has count, step, clip, mode"),
    ],
)
def test_wrong_values_are_refused(values, sentence):
    with pytest.raises(OptionsError) as caught:
        Made.from_dict(values)
    assert sentence in str(caught.value)


def test_whole_numbers_are_floats_where_floats_are_meant():
    assert isinstance(Made(step=1).step, float)


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("Yes", True), ("1", True), ("no", False), ("0", False)]
)
def test_words_for_yes_and_no(word, value):
    assert Made.from_words({"clip": word}).clip is value


def test_words_become_values():
    assert Made.from_words({"count": "7", "step": "1e-1", "mode": "hard"}) == Made(
        count=7, step=0.1, mode="hard"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"count": "many"}, "Made.count is 'many'; it must be of type int"),
        ({"count": "2.5"}, "it must be of type int"),
        ({"clip": "maybe"}, "it must be of type bool"),
        ({"mode": "x"}, "it must be one of soft, hard"),
        ({"colour": "red"}, "Made has no 'colour'"),
    ],
)
def test_words_that_are_no_values_are_refused(words, sentence):
    with pytest.raises(OptionsError) as caught:
        Made.from_words(words)
    assert sentence in str(caught.value)


@given(st.integers(1, 10), st.floats(0, 2), st.booleans(), st.sampled_from(["soft", "hard"]))
def test_options_survive_toml_and_dicts(count, step, clip, mode):
    one = Made(count, step, clip, mode)
    assert Made.from_toml(one.to_toml()) == one
    assert Made.from_dict(one.as_dict()) == one


def test_what_is_not_toml_is_refused():
    with pytest.raises(OptionsError, match="Made: not TOML"):
        Made.from_toml("count = = 3")
