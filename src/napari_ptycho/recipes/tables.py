"""A recipe as plain tables, with every option; and a recipe of tables, which may leave out any."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, TypeVar, get_args

from napari_ptycho.denoise.options import ClassicalOptions, DenoiseOptions
from napari_ptycho.engines import stages
from napari_ptycho.errors import OptionsError, ScanError
from napari_ptycho.io import saved_layouts
from napari_ptycho.io.forms import table as writing
from napari_ptycho.io.layout import Layout
from napari_ptycho.model import Geometry
from napari_ptycho.networks.options import FinetuneOptions, PredictOptions
from napari_ptycho.options import Options
from napari_ptycho.prepare.detector import DetectorOptions
from napari_ptycho.prepare.start import Optics, ProbeStart
from napari_ptycho.recipes.recipe import (
    AssessOptions,
    BinningOptions,
    DenoiseStep,
    NetworkStep,
    OutputOptions,
    Recipe,
    Source,
    Start,
)

FORMAT = "napari-ptycho recipe 1"
SCAN_TABLES = ("layout", "detector", "geometry")
CHANNELS = ("phase", "amplitude", "complex")
GEOMETRY = tuple(field.name for field in fields(Geometry))
WORDS, PAIRS = ("propagation", "particle"), ("detector_pixel_m", "detector_pixel_rad")
"""Fields of a geometry that are no numbers, and those that are two (one stands for both)."""
Table = dict[str, Any]
Some = TypeVar("Some", bound=Options)


def as_tables(recipe: Recipe) -> Table:
    """Return a recipe as plain values, fit for TOML: what is None is left out."""
    tables: Table = {"format": FORMAT, "title": recipe.title, "scan": _scan(recipe.scan)}
    tables["binning"] = recipe.binning.as_dict()
    tables["start"] = {"probe": recipe.start.probe, **_optional(optics=recipe.start.optics)}
    if recipe.network is not None:
        network = recipe.network
        options = _optional(predict=network.predict, finetune=network.finetune)
        tables["network"] = {"file": network.file, **options}
    if recipe.stages:
        tables[stages.KEY] = stages.as_tables(recipe.stages)
    if recipe.denoise is not None:
        tables["denoise"] = {"channel": recipe.denoise.channel, **recipe.denoise.options.as_dict()}
    return {**tables, "assess": recipe.assess.as_dict(), "output": recipe.output.as_dict()}


def _scan(source: Source) -> Table:
    table: Table = {"file": source.file, "positions": source.positions}
    table |= _optional(layout=source.layout, detector=source.detector)
    given = {name: value for name, value in source.geometry.items() if value is not None}
    if given:
        table["geometry"] = {name: _plain(value) for name, value in given.items()}
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return float(value) if isinstance(value, int | float) else [float(item) for item in value]


def _optional(**options: Options | None) -> Table:
    return {name: value.as_dict() for name, value in options.items() if value is not None}


def of_tables(tables: Mapping[str, Any], owner: str) -> Recipe:
    """Build a recipe from tables; what is left out keeps its default.

    Args:
        tables: As `as_tables` returns them; `[scan] saved_layout` names one, and a stage with
            nothing but `preset` stands for those of `engines.PRESETS`.
        owner: What the file is called, for sentences.

    Raises:
        OptionsError: A table, key or value that a recipe does not have.
    """
    known = ("format", "title", "scan", "binning", "start", "network", stages.KEY)
    top = Reader(tables, owner, "", (*known, "denoise", "assess", "output"))
    if top.text("format", FORMAT) != FORMAT:
        raise OptionsError(
            f"{owner}: format is '{tables['format']}'; this version knows '{FORMAT}'"
        )
    return Recipe(
        title=top.text("title"),
        scan=_source(top.table("scan", ("file", "positions", "saved_layout", *SCAN_TABLES))),
        binning=top.options("binning", BinningOptions) or BinningOptions(),
        start=_start(top.table("start", ("probe", "optics"))),
        network=_network(top) if "network" in tables else None,
        stages=stages.of_tables(tables[stages.KEY], owner) if stages.KEY in tables else (),
        denoise=_denoise(top) if "denoise" in tables else None,
        assess=top.options("assess", AssessOptions) or AssessOptions(),
        output=_output(top),
    )


class Reader:
    """One table of a file: what it holds, checked, with sentences that say where it stands."""

    def __init__(
        self, values: Any, owner: str, name: str = "", known: tuple[str, ...] | None = None
    ) -> None:
        """Take a table and look for keys that are none.

        Raises:
            OptionsError: It is no table, or has an unknown key.
        """
        self.owner, self.name = owner, name
        if not isinstance(values, Mapping):
            raise OptionsError(f"{owner}: {name} is {values!r}; it must be a table, [{name}]")
        self.values: Mapping[str, Any] = values
        strange = [key for key in values if known is not None and key not in known]
        if strange:
            where = f"[{name}] has" if name else "a recipe has"
            raise OptionsError(
                f"{owner}: {where} no '{strange[0]}'; it has {', '.join(known or ())}"
            )

    @property
    def where(self) -> str:
        """What to begin a sentence with."""
        return f"{self.owner}: [{self.name}]" if self.name else self.owner

    def table(self, name: str, known: tuple[str, ...] | None = None) -> "Reader":
        """Return a table within, empty where it is not there."""
        whole = f"{self.name}.{name}" if self.name else name
        return Reader(self.values.get(name, {}), self.owner, whole, known)

    def text(self, key: str, default: str = "", choices: tuple[str, ...] = ()) -> str:
        """Return a word.

        Raises:
            OptionsError: It is none, or none of the choices.
        """
        value = self.values.get(key, default)
        if choices and value not in choices:
            allowed = f"one of {', '.join(choices)}"
        elif not isinstance(value, str):
            allowed = "text"
        else:
            return value
        raise OptionsError(f"{self.where} {key} is {value!r}; it must be {allowed}")

    def options(self, name: str, kind: type[Some]) -> Some | None:
        """Return the options of a table within, None where it is not there."""
        return self.table(name).as_options(kind) if name in self.values else None

    def as_options(self, kind: type[Some], *but: str) -> Some:
        """Return this table as options.

        Args:
            kind: Their class.
            but: Keys that are no options.

        Raises:
            OptionsError: An unknown key, or a value outside its range.
        """
        given = {key: value for key, value in self.values.items() if key not in but}
        with self.told():
            return kind.from_dict(given)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in errors of the block where they stand."""
        try:
            yield
        except OptionsError as error:
            raise OptionsError(f"{self.where} {error}") from error


def _source(table: Reader) -> Source:
    layout = table.options("layout", Layout)
    detector = table.options("detector", DetectorOptions)
    geometry = _geometry(table.table("geometry", GEOMETRY))
    if "saved_layout" in table.values:
        name = table.text("saved_layout")
        with table.told():
            saved = saved_layouts.named(name)
        layout = replace(saved.layout, **table.table("layout").values)
        detector = detector or saved.detector
        geometry = {**saved.geometry, **geometry}
    return Source(table.text("file"), table.text("positions"), layout, detector, geometry)


def _geometry(table: Reader) -> dict[str, Any]:
    given: dict[str, Any] = dict(table.values)
    for key, value in table.values.items():
        parts = value if key in PAIRS and isinstance(value, list) else [value]
        if key not in WORDS and not all(_is_number(part) for part in parts):
            need = "(height, width)" if key in PAIRS else "a number"
            raise OptionsError(f"{table.where} {key} is {value!r}; it must be {need}")
        if key in PAIRS:
            given[key] = tuple(parts) if isinstance(value, list) else (value, value)
    try:
        Geometry(**given)
    except (ScanError, TypeError) as error:
        raise OptionsError(f"{table.where} {error}") from error
    return given


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _start(table: Reader) -> Start:
    probe: Any = table.text("probe", "auto", get_args(ProbeStart))
    optics = table.options("optics", Optics)
    if optics is not None and probe != "optics":
        raise OptionsError(f'{table.where} optics needs probe = "optics", but probe is {probe!r}')
    return Start(probe, optics)


def _network(top: Reader) -> NetworkStep:
    table = top.table("network", ("file", "predict", "finetune"))
    file = table.text("file")
    if not file:
        raise OptionsError(f"{table.where} names no file; it must be a network's file or name")
    predict = table.options("predict", PredictOptions) or PredictOptions()
    return NetworkStep(file, predict, table.options("finetune", FinetuneOptions))


def _denoise(top: Reader) -> DenoiseStep:
    table = top.table("denoise")
    channel: Any = table.text("channel", "phase", CHANNELS)
    if "method" in table.values:
        return DenoiseStep(channel, table.as_options(ClassicalOptions, "channel"))
    checked = table.as_options(DenoiseOptions, "channel")
    suited = DenoiseOptions.of(checked.architecture)
    given = {key: getattr(checked, key) for key in table.values if key != "channel"}
    return DenoiseStep(channel, replace(suited, **given))


def _output(top: Reader) -> OutputOptions:
    output = top.options("output", OutputOptions) or OutputOptions()
    with top.table("output").told():
        writing.named("reconstruction", output.form)
    return output
