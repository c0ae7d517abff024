"""Options: one place for a parameter, from which forms, flags, TOML keys and docs tables come.

A parameter is a dataclass field `name: Annotated[type, Range(...), "help"] = default`, where the
type is int, float, bool or a Literal of strings. `describe` is the only reader of the annotations.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

import tomli_w

from napari_ptycho.errors import OptionsError

Value = int | float | bool | str
UNITS = {
    "m": "m",
    "mm": "mm",
    "um": "µm",
    "nm": "nm",
    "px": "px",
    "rad": "rad",
    "deg": "°",
    "ev": "eV",
    "s": "s",
    "ms": "ms",
    "mb": "MB",
    "db": "dB",
}
"""Suffix of a name -> the unit that it stands for."""


@dataclass(frozen=True)
class Range:
    """The allowed values of a number: low <= value <= high; a form steps by `step`."""

    low: float
    high: float
    step: float = 1
    unit: str = ""
    """Where the name has no suffix that says it; "" then is a number without a unit."""

    @property
    def text(self) -> str:
        """The range as a person reads it: "0.001 to 1", "1 to 1,000,000"."""
        return " to ".join(
            f"{end:,.0f}" if end == int(end) and 1e4 <= abs(end) < 1e10 else f"{end:g}"
            for end in (self.low, self.high)
        )


@dataclass(frozen=True)
class Parameter:
    """One field of an Options class, ready for a form, a flag or a table."""

    name: str
    kind: type  # int, float, bool or str
    default: Value
    help: str
    range: Range | None = None
    choices: tuple[str, ...] = ()
    group: str = ""
    """The fold of a form it lies in; "" shows at once."""
    source: str = ""
    """Where it is described: author and year."""

    @property
    def unit(self) -> str:
        """The unit, by the suffix of the name or by the range; "" where there is none."""
        _, _, suffix = self.name.rpartition("_")
        return UNITS.get(suffix, "" if self.range is None else self.range.unit)

    def check(self, value: Any, owner: str) -> Value:
        """Return the value in its own type.

        Raises:
            OptionsError: The value has the wrong type or lies outside the range or choices.
        """
        where = f"{owner}.{self.name} is {value!r}"
        if self.choices:
            if value not in self.choices:
                raise OptionsError(f"{where}; it must be one of {', '.join(self.choices)}")
            return str(value)
        allowed = (int, float) if self.kind is float else (self.kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and self.kind is not bool):
            raise OptionsError(f"{where}; it must be of type {self.kind.__name__}")
        checked: Value = self.kind(value)
        if self.range and not self.range.low <= float(checked) <= self.range.high:
            raise OptionsError(f"{where}; it must lie in [{self.range.low:g}, {self.range.high:g}]")
        return checked

    def parse(self, text: str, owner: str) -> Value:
        """Turn a word of the command line into a checked value.

        Raises:
            OptionsError: The word does not name such a value.
        """
        if self.kind is bool:
            words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            return self.check(words.get(text.lower(), text), owner)
        try:
            value: Value = self.kind(text)
        except ValueError:
            value = text
        return self.check(value, owner)


@dataclass(frozen=True)
class Options:
    """Base of all parameter sets: frozen, and checked on construction."""

    title: ClassVar[str] = ""
    group: ClassVar[str] = ""
    """Of the parameters that this very class adds: the fold of a form they lie in."""
    source: ClassVar[str] = ""
    """Of the same parameters: the paper that describes them, author and year."""

    def __post_init__(self) -> None:
        for parameter in describe(type(self)):
            value = parameter.check(getattr(self, parameter.name), type(self).__name__)
            object.__setattr__(self, parameter.name, value)

    def as_dict(self) -> dict[str, Value]:
        """Return name and value of every parameter."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from names and values; what is not named keeps its default.

        Raises:
            OptionsError: An unknown name, or a value outside its range.
        """
        _known(cls, values)
        return cls(**values)

    @classmethod
    def from_words(cls, words: Mapping[str, str]) -> Self:
        """Build from words as they stand on the command line (`--set name=value`).

        Raises:
            OptionsError: An unknown name, or a word that is no such value.
        """
        known = _known(cls, words)
        return cls(**{name: known[name].parse(text, cls.__name__) for name, text in words.items()})

    def to_toml(self) -> str:
        """Return the parameters as TOML."""
        return tomli_w.dumps(self.as_dict())

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Build from TOML.

        Raises:
            OptionsError: No TOML, an unknown name, or a value outside its range.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise OptionsError(f"{cls.__name__}: not TOML: {error}") from error
        return cls.from_dict(values)


def _known(cls: type[Options], names: Mapping[str, Any]) -> dict[str, Parameter]:
    known = {parameter.name: parameter for parameter in describe(cls)}
    for name in names:
        if name not in known:
            raise OptionsError(f"{cls.__name__} has no '{name}'; it has {', '.join(known)}")
    return known


_described: dict[type[Options], tuple[Parameter, ...]] = {}


def describe(cls: type[Options]) -> tuple[Parameter, ...]:
    """List the parameters of an Options class, in the order a form shows them."""
    if cls not in _described:
        _described[cls] = _read(cls)
    return _described[cls]


def _read(cls: type[Options]) -> tuple[Parameter, ...]:
    hints = get_type_hints(cls, include_extras=True)
    found = []
    for field in fields(cls):
        hint = hints[field.name]
        if get_origin(hint) is not Annotated or field.default is MISSING:
            raise TypeError(
                f"{cls.__name__}.{field.name} needs Annotated[type, ..., help] = default"
            )
        base, *notes = get_args(hint)
        choices = get_args(base) if get_origin(base) is Literal else ()
        found.append(
            Parameter(
                name=field.name,
                kind=str if choices else base,
                default=field.default,
                help=next(note for note in notes if isinstance(note, str)),
                range=next((note for note in notes if isinstance(note, Range)), None),
                choices=choices,
                group=_told(cls, field.name, "group"),
                source=_told(cls, field.name, "source"),
            )
        )
    return tuple(found)


def _told(cls: type[Options], name: str, what: str) -> str:
    """Return what the class that adds a parameter says of all that it adds."""
    owner = next(base for base in cls.__mro__ if name in get_annotations(base))
    return str(owner.__dict__.get(what, ""))
