"""Sound HDF5 files whose content makes no sense: wrong shapes, types, links, units, cycles."""

import contextlib
import io
from collections.abc import Callable
from random import Random
from typing import Any

import h5py
import numpy as np

UNITS = ("m", "mm", "um", "nm", "keV", "J", "pixel", "parsec", "", "µm", b"mm", b"\xff\xfe")
SHAPES = ((), (0,), (1,), (2,), (6,), (7,), (2, 6), (6, 2), (6, 3), (3, 6), (0, 2), (6, 0, 8))
SHAPES += (
    (8, 8),
    (6, 8, 8),
    (1, 6, 8, 8),
    (2, 3, 8, 8),
    (6, 1, 1),
    (1, 1, 1, 1, 1, 8, 8),
    (16, 16),
)
KINDS = ("u1", "u2", "i2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16", ">f4", ">i4", "?")
ENDLESS = ((10**6, 10**6), (10**9,), (10**12,), (10**5, 512, 512), (6, 10**5, 10**5), (2**20,) * 3)
FILL = (0.0, 1.0, -1.0, float("nan"), float("inf"), 1e308, 1e-308, 255.0, 65535.0, 4294967295.0)


def paths(file: h5py.File) -> list[str]:
    """Return the names of all groups and datasets."""
    found: list[str] = []
    file.visit(lambda name: found.append(str(name)))
    return found


def numbers(random: Random, shape: tuple[int, ...] | None = None) -> Any:
    """Return numbers of some shape and type."""
    kind = random.choice(KINDS)
    shape = random.choice(SHAPES) if shape is None else shape
    source = np.random.default_rng(random.randrange(2**32))
    values = source.normal(0, random.choice((1e-7, 1.0, 1e3, 1e9)), shape)
    if random.random() < 0.5:
        values = np.asarray(np.abs(values))
    if values.size and random.random() < 0.4:
        values[source.random(shape) < random.choice((0.1, 1.0))] = random.choice(FILL)
    with np.errstate(all="ignore"):
        return np.asarray(values).astype(kind)


def odd(random: Random) -> Any:
    """Return something that is no array of numbers."""
    pairs = np.dtype([("r", "f4"), ("i", "f4")])
    return random.choice(
        (
            "words",
            "",
            b"\xff\xfe\x00bytes",
            np.bytes_(b"A" * 50),
            np.array([b"a", b"b"]),
            np.array(["a", "b"] * 3, dtype=h5py.string_dtype()),
            np.array(["1.5", "nan"] * 3, dtype=h5py.string_dtype()),
            "[" * 2000,
            '{"a": ' * 500,
            '{"geometry": null, "provenance": [], "variations": "x"}',
            "[1, 2]",
            "null",
            np.zeros((6, 8, 8), pairs),
            np.zeros((), pairs),
            np.zeros(6, np.dtype([("real", "f8"), ("imag", "f8")])),
            np.zeros(3, np.dtype([("x", "S4"), ("y", "i4", (2,))])),
            np.zeros(2, "V16"),
            h5py.Empty("f4"),
            h5py.Empty("S10"),
            np.dtype("f8"),
            10**18,
            -(2**63),
            2**64 - 1,
            float("nan"),
        )
    )


def _put(file: h5py.File, name: str, value: Any) -> None:
    if name in file or file.get(name, getlink=True) is not None:
        del file[name]
    file[name] = value


def _plain(found: Any) -> bool:
    """Whether something is numbers that can be read without harm (HDF5 dies of some)."""
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        return False
    return bool(found.shape) and found.dtype.kind in "iufb" and found.nbytes < 10**7


def replace(random: Random, file: h5py.File, name: str) -> None:
    """Other numbers, or the same ones as another type, or their shape turned."""
    old, way = file[name], random.randrange(5)
    if way == 0 or not _plain(old):
        _put(file, name, numbers(random))
        return
    values = old[()]
    if way == 1:
        values = numbers(random, values.shape)
    elif way == 2:
        values = values.T
    elif way == 3:
        values = values[: random.randrange(len(values) + 1)]
    else:
        values = values[np.newaxis]
    attributes = dict(old.attrs)
    _put(file, name, values)
    file[name].attrs.update(attributes)


def strange(random: Random, file: h5py.File, name: str) -> None:
    """Text, compounds, nothing, a type."""
    _put(file, name, odd(random))


def endless(random: Random, file: h5py.File, name: str) -> None:
    """A dataset that claims far more than the file holds."""
    shape = random.choice(ENDLESS)
    chunks = None
    if random.random() < 0.8:
        chunks = tuple(min(length, random.choice((1, 16, 512))) for length in shape)
    if name in file:
        del file[name]
    kind = random.choice(("u1", "u2", "f4", "f8", "c8"))
    file.create_dataset(name, shape, kind, chunks=chunks, fillvalue=random.choice((0, 1)))


def gone(_random: Random, file: h5py.File, name: str) -> None:
    """Nothing there."""
    del file[name]


def nested(random: Random, file: h5py.File, name: str) -> None:
    """A group where a dataset should be, with or without a child."""
    _put(file, name, numbers(random))
    values = file[name][()]
    del file[name]
    group = file.create_group(name)
    if random.random() < 0.6:
        group[random.choice(("data", "value", "x"))] = values


def linked(random: Random, file: h5py.File, name: str) -> None:
    """A link to nowhere, to itself, to what holds it, to another file."""
    above = name.rpartition("/")[0] or "/"
    targets = (
        h5py.SoftLink("/nowhere"),
        h5py.SoftLink(f"/{name}"),
        h5py.SoftLink(above),
        h5py.SoftLink("/"),
        h5py.SoftLink("."),
        h5py.SoftLink("x" * 5000),
        h5py.ExternalLink("nothing.h5", "/data"),
        h5py.ExternalLink("/dev/null", "/data"),
        h5py.ExternalLink("/etc/hostname", "/data"),
        h5py.ExternalLink("/", "/data"),
        h5py.ExternalLink("../" * 30 + "proc/self/mem", "/"),
        h5py.ExternalLink("main", f"/{name}"),
    )
    _put(file, name, random.choice(targets))


def cycle(random: Random, file: h5py.File, name: str) -> None:
    """A hard link from below to above."""
    groups = [file, *(file[path] for path in paths(file) if isinstance(file[path], h5py.Group))]
    _put(file, name, random.choice(groups))


def attributes(random: Random, file: h5py.File, name: str) -> None:
    """Attributes that are strange, or gone."""
    found = file[random.choice((name, "/"))].attrs
    for key in [*found][:3]:
        if random.random() < 0.5:
            del found[key]
    key = random.choice([*found, "units", "units", "unit", "type", "format", "version", "name"])
    value = random.choice((*UNITS, odd(random), numbers(random, random.choice(((), (1,), (2, 3))))))
    found[key] = value


def virtual(random: Random, file: h5py.File, name: str) -> None:
    """A virtual dataset of missing parts, of itself, of another that is made of it."""
    shape = random.choice(((6, 8, 8), (4, 2), (6, 2)))
    layout = h5py.VirtualLayout(shape, "u2")
    source = random.choice(("nothing.h5", ".", ".", "/dev/null", "part_%b.h5", "main"))
    layout[:] = h5py.VirtualSource(source, random.choice((name, "nowhere", "other")), shape)
    if name in file:
        del file[name]
    file.create_virtual_dataset(name, layout, fillvalue=random.choice((0, 7)))
    if random.random() < 0.3 and "other" not in file:
        back = h5py.VirtualLayout(shape, "u2")
        back[:] = h5py.VirtualSource(".", name, shape)
        file.create_virtual_dataset("other", back)


def outside(random: Random, file: h5py.File, name: str) -> None:
    """Numbers that lie in a file which is no HDF5 file."""
    if name in file:
        del file[name]
    raw = random.choice(("/dev/zero", "/etc/hostname", "nothing.raw"))
    file.create_dataset(name, (6, 8, 8), "u2", external=[(raw, 0, h5py.h5f.UNLIMITED)])


def referring(_random: Random, file: h5py.File, name: str) -> None:
    """References to objects and regions."""
    _put(file, name, np.array([file.ref, h5py.Reference()], dtype=h5py.ref_dtype))


def enumerated(random: Random, file: h5py.File, name: str) -> None:
    """Named values, and arrays of arrays of any length."""
    if name in file:
        del file[name]
    if random.random() < 0.5:
        kind = h5py.enum_dtype({"A": 0, "B": 1}, basetype="i4")
        file.create_dataset(name, (6, 8, 8), kind)
    else:
        ragged = file.create_dataset(name, (6,), h5py.vlen_dtype(np.dtype("f4")))
        ragged[0] = np.arange(3)


def packed(random: Random, file: h5py.File, name: str) -> None:
    """A filter that nobody has, or one chunk for all."""
    values = numbers(random, random.choice(((6, 8, 8), (6, 16, 16), (2, 6))))
    if name in file:
        del file[name]
    if random.random() < 0.5:
        file.create_dataset(name, data=values, chunks=values.shape, compression="gzip")
        return
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)  # the same numbers, the same file
    properties.set_chunk(values.shape)
    properties.set_filter(random.choice((305, 32099)), h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple(values.shape)
    kind = h5py.h5t.py_create(values.dtype)
    chain = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    chain.set_create_intermediate_group(True)
    h5py.h5d.create(file.id, name.encode(), kind, space, properties, chain)


Change = Callable[[Random, h5py.File, str], None]
CHANGES: tuple[Change, ...] = (
    replace, replace, replace, strange, strange, endless, gone, nested, linked, cycle, attributes,
    attributes, virtual, outside, referring, enumerated, packed,
)  # fmt: skip


def rearranged(random: Random, data: bytes) -> tuple[str, bytes]:
    """Return how, and a sound HDF5 file with one to four objects changed."""
    target, told = io.BytesIO(data), []
    with h5py.File(target, "r+") as file:
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            there = paths(file)
            if not there:
                break
            name, change = random.choice(there), random.choice(CHANGES)
            told.append(f"{change.__name__} {name}")
            with contextlib.suppress(KeyError, ValueError, TypeError, OSError, RuntimeError):
                change(random, file, name)  # what h5py itself refuses is not changed
    return ", ".join(told), target.getvalue()


def grown(random: Random, known: list[str], most: int = 12) -> tuple[str, bytes]:
    """Return how, and a file from nothing: some of the known paths with anything there."""
    target, told = io.BytesIO(), []
    with h5py.File(target, "w", libver=random.choice(("earliest", "latest"))) as file:
        for name in random.sample(known, min(len(known), random.randint(1, most))):
            change = random.choice(CHANGES)
            told.append(f"{change.__name__} {name}")
            with contextlib.suppress(KeyError, ValueError, TypeError, OSError, RuntimeError):
                if random.random() < 0.6 or change in (gone, attributes):
                    _put(file, name, numbers(random))
                else:
                    change(random, file, name)
    return ", ".join(told), target.getvalue()
