"""From seeds to cases: which file is changed, and how; the same numbers give the same cases."""

from collections.abc import Iterator, Sequence
from random import Random

from . import mutate, mutate_hdf5
from .executor import Case
from .seeds import Seed

HDF5 = b"\x89HDF\r\n\x1a\n"


def untouched(seed: Seed) -> Case:
    """Return the files of a seed as they are."""
    return Case(seed.name, "as it is", seed.files, seed.main, _job(seed))


def _job(seed: Seed) -> dict[str, object]:
    return {**seed.job, **({"second": seed.second} if seed.second else {})}


def case(seeds: Sequence[Seed], start: int, number: int) -> Case:
    """Return a seed with one of its files changed.

    Args:
        seeds: What to choose from, by weight.
        start: With `number`, decides everything.
        number: Of the case.
    """
    random = Random(f"{start} {number}")
    seed = random.choices(seeds, [seed.weight for seed in seeds])[0]
    name = random.choice(seed.damaged or (seed.main,))
    data, is_text = seed.files[name], name.endswith((".csv", ".txt"))
    is_hdf5 = data[:8] == HDF5 or data[512:520] == HDF5
    if is_text and random.random() < 0.5:
        how, made = "random text", mutate.text(random)
    elif is_hdf5 and random.random() < 0.5:
        how, made = mutate_hdf5.rearranged(random, data)
        if random.random() < 0.1:
            then, made = mutate.mutated(random, made)
            how = f"{how}; {then}"
    else:
        how, made = mutate.within(random, data)
    job = {**_job(seed), "lazy": random.random() < 0.3}
    files = {**seed.files, name: made}
    return Case(seed.name, f"{name}: {how} (number {number})", files, seed.main, job)


def cases(seeds: Sequence[Seed], start: int, count: int) -> Iterator[Case]:
    """Return so many cases."""
    return (case(seeds, start, number) for number in range(count))
