"""Recipes as TOML: what is written is read back equal, and what is wrong is one sentence."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_ptycho import recipes
from napari_ptycho.denoise.options import ClassicalOptions, DenoiseOptions
from napari_ptycho.engines import ENGINES, PRESETS, RpieOptions
from napari_ptycho.errors import FileError, OptionsError
from napari_ptycho.io import saved_layouts
from napari_ptycho.io.layout import Layout
from napari_ptycho.networks.options import FinetuneOptions, PredictOptions
from napari_ptycho.options import describe
from napari_ptycho.prepare.detector import DetectorOptions
from napari_ptycho.prepare.start import Optics
from napari_ptycho.recipes import (
    AssessOptions,
    BinningOptions,
    DenoiseStep,
    NetworkStep,
    OutputOptions,
    Recipe,
    Source,
    Start,
)

WORDS = {"size": ["1", "4", "2x3"], "form": ["product", "cxi", "npz"]}


def values_of(parameter):
    """All that a parameter may be."""
    if parameter.name in WORDS and parameter.kind is str:
        return st.sampled_from(WORDS[parameter.name])
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.kind is bool:
        return st.booleans()
    if parameter.kind is str:
        return st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
    low, high = parameter.range.low, parameter.range.high
    if parameter.kind is int:
        return st.integers(int(low), int(high))
    return st.floats(low, high)


def options(kind):
    return st.builds(kind, **{one.name: values_of(one) for one in describe(kind)})


GEOMETRY = st.fixed_dictionaries(
    {},
    optional={
        "energy_ev": st.floats(1, 1e6),
        "distance_m": st.floats(1e-3, 100),
        "detector_pixel_m": st.tuples(st.floats(1e-7, 1e-3), st.floats(1e-7, 1e-3)),
        "propagation": st.sampled_from(["far", "near"]),
        "particle": st.sampled_from(["photon", "electron"]),
    },
)
SOURCES = st.builds(
    Source,
    file=st.sampled_from(["", "/data/scan 1.h5", "sample:fibres"]),
    positions=st.sampled_from(["", "/data/positions.csv"]),
    layout=st.none() | options(Layout),
    detector=st.none() | options(DetectorOptions),
    geometry=GEOMETRY,
)
STARTS = st.sampled_from(["auto", "file", "mean pattern"]).map(Start) | st.builds(
    Start, probe=st.just("optics"), optics=st.none() | options(Optics)
)
RECIPES = st.builds(
    Recipe,
    title=st.text(st.characters(codec="utf-8", exclude_categories=("Cs",))),
    scan=SOURCES,
    binning=options(BinningOptions),
    start=STARTS,
    network=st.none()
    | st.builds(
        NetworkStep,
        file=st.just("w3net"),
        predict=options(PredictOptions),
        finetune=st.none() | options(FinetuneOptions),
    ),
    stages=st.lists(st.sampled_from(list(ENGINES.values())).flatmap(options), max_size=3).map(
        tuple
    ),
    denoise=st.none()
    | st.builds(
        DenoiseStep,
        channel=st.sampled_from(["phase", "amplitude", "complex"]),
        options=options(DenoiseOptions) | options(ClassicalOptions),
    ),
    assess=options(AssessOptions),
    output=options(OutputOptions),
)


@given(RECIPES)
@settings(max_examples=20)
def test_what_is_written_is_read_back_equal(recipe):
    text = recipes.dumps(recipe)
    assert recipes.loads(text, "x") == recipe
    assert recipes.dumps(recipes.loads(text, "x")) == text
    assert recipes.checksum(recipes.loads(text, "x")) == recipes.checksum(recipe)


def test_every_option_is_written_out():
    stages = tuple(kind() for kind in ENGINES.values())
    everything = Recipe(
        scan=Source(layout=Layout(), detector=DetectorOptions()),
        start=Start("optics", Optics()),
        network=NetworkStep("w3net", finetune=FinetuneOptions()),
        stages=stages,
        denoise=DenoiseStep("phase", DenoiseOptions()),
    )
    lines = recipes.dumps(everything).splitlines()
    kinds = (BinningOptions, Layout, DetectorOptions, Optics, PredictOptions, FinetuneOptions)
    kinds += (DenoiseOptions, AssessOptions, OutputOptions, *ENGINES.values())
    names = [parameter.name for kind in kinds for parameter in describe(kind)]
    written = [line.partition(" = ")[0] for line in lines if " = " in line]
    assert all(written.count(name) >= names.count(name) for name in names)


def test_a_recipe_by_hand_leaves_out_what_it_likes():
    assert recipes.loads("", "x") == Recipe()
    text = """
        [scan.geometry]
        energy_ev = 8000
        detector_pixel_m = 75e-6
        [[stage]]
        engine = "dm"
        epochs = 5
        [[stage]]
        preset = "quick"
        [network]
        file = "w3net"
        [network.finetune]
        [denoise]
        architecture = "arch1"
        patience = 7
    """
    recipe = recipes.loads(text, "x")
    assert recipe.stages == (ENGINES["dm"](epochs=5), *PRESETS["quick"].stages)
    assert recipe.network == NetworkStep("w3net", PredictOptions(), FinetuneOptions())
    assert recipe.denoise == DenoiseStep("phase", DenoiseOptions.of("arch1", patience=7))
    assert recipe.denoise.options.iterations == 5000  # what suits the architecture
    assert recipe.scan.geometry == {"energy_ev": 8000, "detector_pixel_m": (75e-6, 75e-6)}
    classical = recipes.loads('[denoise]\nchannel = "amplitude"\nmethod = "nlm"', "x")
    assert classical.denoise == DenoiseStep("amplitude", ClassicalOptions("nlm"))


def test_a_saved_layout_stands_for_how_a_scan_is_read():
    layout, detector = Layout(frames="/a", position_unit="um"), DetectorOptions(size=64)
    saved_layouts.save(
        saved_layouts.SavedLayout("beamline", ("a",), layout, detector, {"energy_ev": 9000.0})
    )
    text = '[scan]\nsaved_layout = "beamline"\n'
    source = recipes.loads(text, "x").scan
    assert source == Source("", "", layout, detector, {"energy_ev": 9000.0})
    more = '[scan.layout]\nframes = "/b"\n[scan.detector]\n[scan.geometry]\nenergy_ev = 5000\n'
    source = recipes.loads(text + more, "x").scan
    assert source.layout == replace(layout, frames="/b")
    assert source.detector == DetectorOptions()
    assert source.geometry == {"energy_ev": 5000}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[stage", "not TOML"),
        ('format = "recipe 9"', "format is 'recipe 9'; this version knows 'napari-ptycho recipe 1"),
        ("title = 3", "my.toml title is 3; it must be text"),
        ("colour = 3", "a recipe has no 'colour'; it has format, title, scan, binning"),
        ("scan = 3", "scan is 3; it must be a table, [scan]"),
        ("[scan]\nfiel = 'x'", "[scan] has no 'fiel'; it has file, positions, saved_layout"),
        ("[scan]\nsaved_layout = 'x'", "[scan] no saved layout is called 'x'"),
        ("[scan]\nsaved_layout = 3", "[scan] saved_layout is 3; it must be text"),
        ("[scan.layout]\nframe = 'x'", "[scan.layout] Layout has no 'frame'; it has frames"),
        ("[scan.detector]\nrebin = 99", "[scan.detector] DetectorOptions.rebin is 99; it must lie"),
        ("[scan.geometry]\nenergy = 1", "[scan.geometry] has no 'energy'; it has energy_ev"),
        ("[scan.geometry]\nenergy_ev = '9 keV'", "energy_ev is '9 keV'; it must be a number"),
        ("[scan.geometry]\nenergy_ev = -1", "energy_ev is -1; it must be positive"),
        ("[scan.geometry]\npropagation = 'up'", "propagation is 'up'; it must be far or near"),
        ("[scan.geometry]\ndetector_pixel_m = 'x'", "is 'x'; it must be (height, width)"),
        ("[scan.geometry]\ndetector_pixel_m = [1e-5]", "need (height, width)"),
        ("[binning]\nsize = '2y2'", "[binning] bin size is '2y2'; it must be like 2x2"),
        ("[binning]\nsize = 4", "[binning] BinningOptions.size is 4; it must be of type str"),
        ("[start]\nprobe = 'x'", "[start] probe is 'x'; it must be one of auto, file, optics"),
        ("[start.optics]\n", "[start] optics needs probe = \"optics\", but probe is 'auto'"),
        ("[network]\n", "[network] names no file; it must be a network's file or name"),
        ("[network]\nfile = 'x'\nepochs = 3", "[network] has no 'epochs'; it has file, predict"),
        ("[network]\nfile='x'\n[network.finetune]\nrate='x'", "[network.finetune] FinetuneOptions"),
        ("stage = 3", "there is no stage; write [[stage]]"),
        ("[[stage]]\nepochs = 3", "stage 1: names no engine; there is"),
        ("[[stage]]\nengine = 'rpie'\n[[stage]]\nengine = 'x'", "stage 2: has no engine 'x'"),
        ("[[stage]]\nengine = 'rpie'\nepoch = 3", "stage 1: RpieOptions has no 'epoch'; it has"),
        ("[[stage]]\npreset = 'x'", "stage 1: has no preset 'x'; there is quick"),
        ("[[stage]]\npreset = 'quick'\nepochs = 3", "a preset stands alone; leave out 'epochs'"),
        ("[denoise]\nchannel = 'x'", "[denoise] channel is 'x'; it must be one of phase"),
        ("[denoise]\narchitecture = 'x'", "[denoise] DenoiseOptions.architecture is 'x'"),
        ("[denoise]\nmethod='tv'\npatience=3", "[denoise] ClassicalOptions has no 'patience'"),
        ("[assess]\nfrc = 1", "[assess] AssessOptions.frc is 1; it must be of type bool"),
        ("[output]\nform = 'x'", "[output] a reconstruction cannot be written as 'x'; it can as"),
    ],
)
def test_what_is_wrong_is_one_sentence_that_says_where(text, sentence):
    with pytest.raises(OptionsError) as caught:
        recipes.loads(text, "my.toml")
    said = str(caught.value)
    assert said.startswith("my.toml")
    assert sentence in said
    assert "\n" not in said


def test_files_in_a_recipe_lie_beside_it(tmp_path):
    recipe = Recipe("one", Source("scan.h5", "xy.csv"), network=NetworkStep("net.safetensors"))
    recipes.write(recipe, tmp_path / "r.toml")
    found = recipes.read(tmp_path / "r.toml")
    assert found.scan == Source(str(tmp_path / "scan.h5"), str(tmp_path / "xy.csv"))
    assert found.network.file == str(tmp_path / "net.safetensors")
    recipes.write(found, tmp_path / "r.toml")
    assert recipes.read(tmp_path / "r.toml") == found
    named = Recipe(scan=Source("sample:fibres"), network=NetworkStep("w3net"))
    recipes.write(named, tmp_path / "r.toml")
    assert recipes.read(tmp_path / "r.toml") == named
    assert [path.name for path in tmp_path.iterdir()] == ["r.toml"]


def test_a_file_that_is_no_recipe(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        recipes.read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match=r"bad\.toml: could not read it"):
        recipes.read(tmp_path / "bad.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(FileError, match="larger than any recipe"):
        recipes.read(tmp_path / "large.toml")
    (tmp_path / "odd.toml").write_text("[scan]\nfiel = 1\n")
    with pytest.raises(OptionsError, match=r"odd.toml: \[scan\] has no 'fiel'"):
        recipes.read(tmp_path / "odd.toml")


def test_a_checksum_is_of_what_a_recipe_does(tmp_path):
    recipe = Recipe(stages=(RpieOptions(epochs=5),))
    same = replace(recipe, title="x", scan=Source("other.h5"))
    assert recipes.checksum(same) == recipes.checksum(recipe)
    others = [
        replace(recipe, stages=(RpieOptions(epochs=6),)),
        replace(recipe, binning=BinningOptions(size="2")),
        replace(recipe, scan=Source(positions="xy.csv")),
        replace(recipe, scan=Source(geometry={"energy_ev": 1.0})),
        replace(recipe, output=OutputOptions(tiff=True)),
    ]
    assert len({recipes.checksum(one) for one in [recipe, *others]}) == 1 + len(others)


def test_a_checksum_knows_what_is_in_a_network_but_not_where_it_lies(tmp_path):
    one, two = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    one.write_bytes(b"a"), two.write_bytes(b"a")
    first = recipes.checksum(Recipe(network=NetworkStep(str(one))))
    assert recipes.checksum(Recipe(network=NetworkStep(str(two)))) == first
    one.write_bytes(b"b")
    assert recipes.checksum(Recipe(network=NetworkStep(str(one)))) != first


def test_every_part_of_a_recipe_has_a_table():
    text = recipes.dumps(Recipe(network=NetworkStep("w3net"), stages=(RpieOptions(),)))
    for field in fields(Recipe):
        name = {"stages": "[[stage]]", "title": "title ="}.get(field.name, f"[{field.name}]")
        assert name in text or field.name == "denoise"


def test_recipes_open_without_torch():
    modules = "torch", "h5py", "distributed"
    code = f"import sys, napari_ptycho.recipes; print([m for m in {modules} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
