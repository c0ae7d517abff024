"""Eight complex numbers at a time: the products that compilers make slow loops of (numba, LLVM).

In memory a complex number is its real part followed by its imaginary part. A loop over complex
numbers is vectorised by sorting real from imaginary parts and back, three quarters of its work, and
only after the addresses of all arrays were compared, once per row. Written with the parts in place,
a product is two multiplications with the partner's real or imaginary part in both places. The
vectors are LLVM's own, so every processor runs them, in pieces that suit it.

All arrays are flat float32, all indices count floats (not complex numbers), unsigned.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core.errors import TypingError

intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = extending.intrinsic
LANES = 16  # floats, eight complex numbers
FLAGS = ("contract", "nsz")
REAL = [lane & ~1 for lane in range(LANES)]
IMAGINARY = [lane | 1 for lane in range(LANES)]
SWAPPED = [lane ^ 1 for lane in range(LANES)]
EACH_TWICE = [lane // 2 for lane in range(LANES)]


def _vector(lanes: int) -> Any:
    return ir.VectorType(ir.FloatType(), lanes)


def _constant(*pattern: float, lanes: int = LANES) -> Any:
    return ir.Constant(_vector(lanes), list(pattern) * (lanes // len(pattern)))


class _Block:
    """The vectors that some arrays hold at some indices, while code is generated."""

    def __init__(self, context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> None:
        self.context, self.builder = context, builder
        self.kinds, self.values = signature.args, values

    def at(self, place: int, lanes: int = LANES) -> Any:
        """Return a pointer to so many floats of the array at `place`; its index comes next."""
        array = self.context.make_array(self.kinds[place])
        data = array(self.context, self.builder, self.values[place]).data
        pointer = self.builder.gep(data, [self.values[place + 1]])
        return self.builder.bitcast(pointer, _vector(lanes).as_pointer())

    def load(self, pointer: Any) -> Any:
        value = self.builder.load(pointer)
        value.align = 4
        return value

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, pointer, align=4)

    def pick(self, value: Any, lanes: list[int]) -> Any:
        """Return a vector of these lanes of another."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)

    def everywhere(self, place: int, lanes: int) -> Any:
        """Return a vector of a float argument in all lanes."""
        first = ir.Constant(ir.IntType(32), 0)
        empty = ir.Constant(_vector(lanes), ir.Undefined)
        return self.pick(self.builder.insert_element(empty, self.values[place], first), [0] * lanes)

    def add(self, one: Any, other: Any) -> Any:
        return self.builder.fadd(one, other, flags=FLAGS)

    def times(self, one: Any, other: Any) -> Any:
        return self.builder.fmul(one, other, flags=FLAGS)

    def product(self, one: Any, other: Any, turned: Any) -> tuple[Any, Any]:
        """Return the two parts of `one` times `other`, of which `turned` is i times it."""
        real, imaginary = self.pick(one, REAL), self.pick(one, IMAGINARY)
        return self.times(real, other), self.times(imaginary, turned)


@intrinsic
def check_single(_: Any, array: Any) -> tuple[Any, Any]:
    """Refuse arrays, on compilation, whose numbers are not float32 one after another."""
    if array.layout != "C" or array.dtype not in (types.float32, types.complex64):
        raise TypingError(f"the loops need contiguous arrays of single precision, not {array}")

    def generate(context: Any, *_: Any) -> Any:
        return context.get_dummy_value()

    return types.void(array), generate


@intrinsic
def correlate(
    _: Any,
    first: Any,
    at_first: Any,
    second: Any,
    at_second: Any,
    change: Any,
    at_change: Any,
    one: Any,
    at_one: Any,
    other: Any,
    at_other: Any,
) -> tuple[Any, Any]:
    """Add conj(one) * change to first, and conj(other) * change to second."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        block = _Block(context, builder, signature, values)
        targets = block.at(0), block.at(2)
        sums = [block.load(target) for target in targets]
        change = block.load(block.at(4))
        factors = block.load(block.at(6)), block.load(block.at(8))
        turned = block.times(block.pick(change, SWAPPED), _constant(1.0, -1.0))
        for number, factor in enumerate(factors):
            for part in block.product(factor, change, turned):
                sums[number] = block.add(sums[number], part)
        for value, target in zip(sums, targets, strict=True):
            block.store(value, target)
        return context.get_dummy_value()

    arrays = first, at_first, second, at_second, change, at_change, one, at_one, other, at_other
    return types.void(*arrays), generate


@intrinsic
def settle(
    _: Any,
    image: Any,
    at_image: Any,
    delta: Any,
    at_delta: Any,
    light: Any,
    at_light: Any,
    step: Any,
    rest: Any,
    floor: Any,
) -> tuple[Any, Any]:
    """Add delta * step / (rest * light + floor) to image; clear delta and light.

    The light has one float where the others have two.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        block, half = _Block(context, builder, signature, values), LANES // 2
        image, delta, light = block.at(0), block.at(2), block.at(4, half)
        step, rest, floor = (block.everywhere(place, half) for place in (6, 7, 8))
        below = block.add(block.times(rest, block.load(light)), floor)
        factor = block.pick(builder.fdiv(step, below, flags=FLAGS), EACH_TWICE)
        moved = block.add(block.load(image), block.times(block.load(delta), factor))
        block.store(moved, image)
        block.store(_constant(0.0), delta)
        block.store(_constant(0.0, lanes=half), light)
        return context.get_dummy_value()

    arrays = image, at_image, delta, at_delta, light, at_light
    return types.void(*arrays, step, rest, floor), generate
