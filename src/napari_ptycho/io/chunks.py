"""Compressed chunks looked at before they are unpacked: some filters crash on damaged ones.

The filters of bitshuffle, LZ4 and Blosc trust the sizes at the head of a chunk; a wrong one makes
them read or write outside their memory, which ends the process.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from struct import unpack_from

import h5py

from napari_ptycho.errors import FileError

BITSHUFFLE, LZ4, BLOSC = 32008, 32004, 32001
COMPRESSED = (2, 3)
"""What bitshuffle has inside: LZ4 or Zstd."""
DEFAULT_BLOCK = 8192
SMALL_BYTES = 2**26
SMALL_FILE = 2**26
"""In such, a chunk that claims gigabytes is not read; of larger ones, asking takes too long."""

Part = int | slice


def check(dataset: h5py.Dataset, key: Sequence[Part]) -> None:
    """Refuse a damaged chunk in a part of a dataset.

    Args:
        dataset: Open, and not virtual.
        key: An index or a slice without a step for each of its axes.

    Raises:
        FileError: The sizes in a chunk contradict the dataset.
    """
    sound = _sound_of(dataset)
    if sound is None:
        return
    most = Path(dataset.file.filename).stat().st_size
    whole = math.prod(dataset.chunks) * dataset.dtype.itemsize
    for offset in _offsets(dataset.chunks, dataset.shape, key):
        if most <= SMALL_FILE and dataset.id.get_chunk_info_by_coord(offset).size > most:
            good = False
        else:
            try:
                mask, chunk = dataset.id.read_direct_chunk(offset)
            except RuntimeError:  # never written; or HDF5 says what is wrong when it reads it
                continue
            good = len(chunk) == whole if mask else sound(chunk)
        if not good:
            raise FileError(
                f"{Path(dataset.file.filename).name}: '{dataset.name}' is damaged: its compressed "
                f"part at {offset} has not the size it should; copy the file again"
            )


def check_small(dataset: h5py.Dataset) -> None:
    """Refuse a damaged chunk anywhere in a dataset that may be read as a whole.

    Raises:
        FileError: The sizes in a chunk contradict the dataset.
    """
    if dataset.chunks is not None and dataset.nbytes <= SMALL_BYTES:
        check(dataset, [slice(None)] * len(dataset.shape))


def _sound_of(dataset: h5py.Dataset) -> Callable[[bytes], bool] | None:
    """Return what tells a sound chunk; None where the filter can be trusted."""
    properties = dataset.id.get_create_plist()
    count = properties.get_nfilters()
    if not count or dataset.chunks is None:
        return None
    code, _, values, _ = properties.get_filter(count - 1)  # the last is undone first
    n_bytes, item = math.prod(dataset.chunks) * dataset.dtype.itemsize, dataset.dtype.itemsize
    if code == BITSHUFFLE:
        if len(values) > 2 and values[2] != item:
            return lambda chunk: False
        if len(values) < 5 or values[4] not in COMPRESSED:
            return lambda chunk: len(chunk) == n_bytes
        return lambda chunk: _bitshuffled(chunk, n_bytes, item)
    if code == LZ4:
        return lambda chunk: _lz4(chunk, n_bytes)
    if code == BLOSC:
        return lambda chunk: _blosc(chunk, n_bytes)
    return None


def _offsets(
    chunks: Sequence[int], shape: Sequence[int], key: Sequence[Part]
) -> Iterator[tuple[int, ...]]:
    """Yield where the chunks begin that a part of a dataset needs."""
    ranges = []
    for length, size, part in zip(chunks, shape, key, strict=True):
        start, stop, _ = (part if isinstance(part, slice) else slice(part, part + 1)).indices(size)
        ranges.append(range(start // length * length, stop, length))
    yield from product(*ranges)


def _bitshuffled(chunk: bytes, n_bytes: int, item: int) -> bool:
    """Whether blocks, each with its length in front, fill the chunk and make n_bytes."""
    if len(chunk) < 12:
        return False
    unpacked, block = unpack_from(">QI", chunk)
    per_block = block // item or max(DEFAULT_BLOCK // item // 8 * 8, 128)
    if unpacked != n_bytes or per_block % 8:
        return False
    items = n_bytes // item
    last = items % per_block // 8 * 8
    blocks = items // per_block + (1 if last else 0)
    end = _end_of_blocks(chunk, blocks)
    return end is not None and end + items % 8 * item <= len(chunk)


def _lz4(chunk: bytes, n_bytes: int) -> bool:
    if len(chunk) < 12:
        return False
    unpacked, block = unpack_from(">QI", chunk)
    if unpacked != n_bytes or not block:
        return False
    return _end_of_blocks(chunk, -(-n_bytes // min(block, n_bytes))) is not None


def _end_of_blocks(chunk: bytes, blocks: int) -> int | None:
    """Return where the last block ends, None if it would be outside the chunk."""
    at = 12
    for _ in range(blocks):
        if at + 4 > len(chunk):
            return None
        at += 4 + unpack_from(">I", chunk, at)[0]
    return at if at <= len(chunk) else None


def _blosc(chunk: bytes, n_bytes: int) -> bool:
    if len(chunk) < 16:
        return False
    unpacked, _, packed = unpack_from("<III", chunk, 4)
    return bool(unpacked == n_bytes and packed <= len(chunk))
