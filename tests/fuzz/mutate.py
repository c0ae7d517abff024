"""Ways to make the bytes of a file wrong; each takes a random source and bytes, returns bytes."""

import bz2
import gzip
import io
import re
import struct
import zipfile
from collections.abc import Callable
from random import Random

NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**20, 2**31 - 1, 2**31, 2**32 - 1)
LARGE = (2**33, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
HEAD = 16  # bytes that tell the kind of file


def place(random: Random, data: bytes) -> int:
    """Return an offset, often near the start, where headers are."""
    most = max(1, len(data))
    return random.randrange(min(4096, most)) if random.random() < 0.5 else random.randrange(most)


def flip(random: Random, data: bytes) -> bytes:
    """Turn some bits."""
    made = bytearray(data)
    for _ in range(random.choice((1, 2, 4, 16, 64)) if data else 0):
        made[place(random, data)] ^= 1 << random.randrange(8)
    return bytes(made)


def overwrite(random: Random, data: bytes) -> bytes:
    """Write over a block."""
    length, at = random.choice((1, 2, 4, 8, 64, 512)), place(random, data)
    fill = random.choice((b"\0", b"\xff", b"A", None))
    block = random.randbytes(length) if fill is None else fill * length
    return data[:at] + block + data[at + length :]


def truncate(random: Random, data: bytes) -> bytes:
    """Cut the end off."""
    return data[: random.randrange(len(data))] if data else data


def insert(random: Random, data: bytes) -> bytes:
    """Put something in between."""
    at = place(random, data)
    return data[:at] + random.randbytes(random.choice((1, 2, 8, 100, 5000))) + data[at:]


def delete(random: Random, data: bytes) -> bytes:
    """Take something out."""
    at = place(random, data)
    return data[:at] + data[at + random.choice((1, 2, 8, 100, 5000)) :]


def splice(random: Random, data: bytes) -> bytes:
    """Copy one part over another."""
    source, target = place(random, data), place(random, data)
    part = data[source : source + random.choice((4, 8, 32, 256, 2048))]
    return data[:target] + part + data[target + len(part) :]


def number(random: Random, data: bytes) -> bytes:
    """Write interesting integers, in either byte order."""
    made = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        size, order = random.choice("bhiq"), random.choice("<>")
        size_bytes = struct.calcsize(size)
        known = NUMBERS + (LARGE if size_bytes == 8 else ())
        value = random.choice(known) & (2 ** (8 * size_bytes) - 1)
        at = place(random, data) // random.choice((1, size_bytes)) * size_bytes
        made[at : at + size_bytes] = struct.pack(order + size.upper(), value)
    return bytes(made)


def digits(random: Random, data: bytes) -> bytes:
    """Replace a number that is written in words (headers of NPY, MIB, TIFF descriptions, text)."""
    head = data[:8192] if random.random() < 0.7 else data[:200_000]
    found = list(re.finditer(rb"-?\d+(\.\d+)?(e-?\d+)?", head))
    if not found:
        return flip(random, data)
    match = random.choice(found)
    known = [*map(str, NUMBERS + LARGE), "nan", "inf", "-inf", "1e400", "x", "", "1,2", "None"]
    return data[: match.start()] + random.choice(known).encode() + data[match.end() :]


PLAIN = (flip, overwrite, truncate, insert, delete, splice, number, digits)


def mutated(random: Random, data: bytes) -> tuple[str, bytes]:
    """Return how, and the bytes after one to three changes; mostly they still tell their kind."""
    chosen: list[Callable[[Random, bytes], bytes]] = random.choices(
        PLAIN, k=random.choice((1, 1, 1, 2, 3))
    )
    made = data
    for change in chosen:
        made = change(random, made)
    if random.random() < 0.8:
        made = data[:HEAD] + made[HEAD:]
    return "+".join(change.__name__ for change in chosen), made


def inside(random: Random, data: bytes) -> tuple[str, bytes] | None:
    """Change what is inside a zip, bz2 or gzip file and pack it again; None: it is none of them."""
    if data.startswith(b"BZh"):
        how, made = within(random, bz2.decompress(data))
        return f"bz2 of {how}", bz2.compress(made, 1)
    if data.startswith(b"\x1f\x8b"):
        how, made = within(random, gzip.decompress(data))
        return f"gzip of {how}", gzip.compress(made, 1)
    if not data.startswith(b"PK\x03\x04"):
        return None
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    name = random.choice(list(members))
    way = random.randrange(6)
    how, members[name] = mutated(random, members[name])
    if way == 0:
        del members[name]
    elif way == 1:
        members[f"{name}.npy"] = members.pop(name)
    elif way == 2:
        members[name] = members[random.choice(list(members))]
    target = io.BytesIO()
    with zipfile.ZipFile(
        target, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as made:
        for member, content in members.items():
            info = zipfile.ZipInfo(member)  # of no time: the same bytes again
            made.writestr(info, content, made.compression)
    return f"zip of {name} {how}", target.getvalue()


def within(random: Random, data: bytes) -> tuple[str, bytes]:
    """Change bytes, or what is packed in them."""
    found = inside(random, data) if random.random() < 0.7 else None
    return found or mutated(random, data)


def text(random: Random) -> bytes:
    """Return a file of positions as nobody would write it."""
    cells = [
        "1",
        "-2.5",
        "1e-6",
        "nan",
        "inf",
        "",
        "x",
        "#",
        '"',
        "1e999",
        "µ",
        "\0",
        "0x10",
        "y_m",
    ]
    split = random.choice((",", " ", "\t", ";", ", "))
    lines = []
    for _ in range(random.choice((0, 1, 5, 12, 12, 12, 300))):
        count = random.choice((1, 2, 2, 2, 3, 8))
        lines.append(split.join(random.choice(cells) for _ in range(count)))
    encoding = random.choice(("utf-8", "utf-8", "utf-16", "latin-1"))
    return random.choice(("\n", "\r\n", "\r")).join(lines).encode(encoding, "replace")
