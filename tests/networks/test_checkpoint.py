"""Networks in files: what goes in comes out, published weights give published outputs, and nothing
else gets further than a sentence."""

import io
import json
import os
import pickle
import re
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import torch
from safetensors.numpy import save as safetensors_of

from napari_ptycho.errors import FileError, OptionsError, PtychoError
from napari_ptycho.networks import ARCHITECTURES, checkpoint, foreign, load, save, shipped
from napari_ptycho.networks.foreign import PUBLISHED
from napari_ptycho.networks.network import Network, Preparation
from napari_ptycho.networks.table import build


def weights_of(name, seed=1):
    return {key: weight.numpy() for key, weight in build(name, seed).state_dict().items()}


def network_of(name="w3net", **changes):
    random = np.random.default_rng(7)
    probe = random.normal(size=(2, 48, 64, 2)) @ (1, 1j)
    mean = random.random((48, 64), np.float32)
    values = {
        "preparation": Preparation("standardised", (48, 64), mean, 3.25),
        "name": "Stern αβ",
        "amplitude_scale": 1.75,
        "probe": probe.astype(np.complex64),
        "about": {"epochs": 12, "data": ["a", "b"], "metrics": {"psnr_db": 21.5}},
    }
    return Network(name, weights_of(name), **(values | changes))


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The bytes of a valid file."""
    path = tmp_path_factory.mktemp("networks") / "net.safetensors"
    save(network_of(), path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_comes_back_bit_for_bit(name, tmp_path):
    network = network_of(name)
    save(network, tmp_path / "net.safetensors")
    back = load(tmp_path / "net.safetensors")
    assert (back.architecture, back.name, back.amplitude_scale) == (name, "Stern αβ", 1.75)
    assert back.about == network.about
    assert back.weights.keys() == network.weights.keys()
    for key, value in network.weights.items():
        assert back.weights[key].dtype == value.dtype
        assert back.weights[key].shape == value.shape
        assert back.weights[key].tobytes() == value.tobytes()
    made, was = back.preparation, network.preparation
    assert (made.scaling, made.shape, made.std) == ("standardised", (48, 64), 3.25)
    assert np.array_equal(made.mean, was.mean)
    assert np.array_equal(back.probe, network.probe)
    back.module()


def test_what_is_not_there_is_not_there_afterwards(tmp_path):
    network = network_of(preparation=Preparation("sqrt-max", (64, 64)), probe=None, about={})
    save(network, tmp_path / "net.safetensors")
    back = load(tmp_path / "net.safetensors")
    assert back.preparation.mean is None
    assert back.probe is None
    assert back.about == {}


def test_weights_in_any_order_of_memory(tmp_path):
    weights = weights_of("ptychonn")
    turned = {key: np.asfortranarray(value) for key, value in weights.items()}
    save(Network("ptychonn", turned, Preparation()), tmp_path / "net.safetensors")
    back = load(tmp_path / "net.safetensors")
    assert all(np.array_equal(back.weights[key], value) for key, value in weights.items())


def test_what_is_said_about_it_becomes_plain(tmp_path):
    about = {"loss": np.float32(0.5), "best": float("nan"), "shape": (3, 4), 5: np.arange(2)}
    save(network_of(about=about), tmp_path / "net.safetensors")
    back = load(tmp_path / "net.safetensors")
    assert back.about == {"loss": 0.5, "best": None, "shape": [3, 4], "5": [0, 1]}


def test_the_header_is_json_that_others_can_read(ours):
    length = struct.unpack("<Q", ours[:8])[0]
    header = json.loads(json.loads(ours[8 : 8 + length])["__metadata__"]["napari_ptycho"])
    assert header["architecture"] == "w3net"
    assert header["preparation"] == {"scaling": "standardised", "shape": [48, 64], "std": 3.25}
    assert header["format"] == 1


def test_a_failed_write_leaves_the_older_file(tmp_path, ours):
    path = tmp_path / "net.safetensors"
    path.write_bytes(ours)
    with pytest.raises(FileError, match="could not write"):
        save(network_of(about={"x": object()}), path)
    assert path.read_bytes() == ours
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileError, match="does not exist"):
        save(network_of(), tmp_path / "missing" / "net.safetensors")


# Published weights


@pytest.mark.real
def test_published_phase_network_gives_the_published_phases(real_data):
    network = load(real_data / "ptychonn" / "cl_best_model.pth")
    assert network.architecture == "ptychonn2"
    assert network.preparation.scaling == "counts"
    assert network.preparation.shape == (128, 128)
    assert network.about["source"] == "published weights, loaded from cl_best_model.pth"
    gold = np.load(real_data / "ptychonn" / "ptychonn_reference_io.npz")
    with torch.inference_mode():
        phase = network.module()(torch.from_numpy(gold["input_raw128"])[:, None])
    np.testing.assert_allclose(phase[:, 0], gold["cl_phase"], rtol=0, atol=1e-5)
    assert gold["cl_phase"].std() > 0.1


@pytest.mark.real
def test_published_uncertainty_network_gives_the_published_moments(real_data):
    network = load(real_data / "ptychonn" / "uq_best_model.pth")
    assert network.architecture == "ptychonn-uq"
    assert network.preparation.shape == (64, 64)
    gold = np.load(real_data / "ptychonn" / "ptychonn_reference_io.npz")
    module = network.module()
    patterns = torch.from_numpy(gold["input_uq64"])[:, None]
    with torch.inference_mode():
        mean, log_variance = module.moments(patterns)
        output = module(patterns)
    for channel, name in enumerate(("uq_amp_mu_logvar", "uq_phase_mu_logvar")):
        np.testing.assert_allclose(output[:, channel], gold[name][:, 0], rtol=0, atol=1e-5)
        np.testing.assert_allclose(mean[:, channel], gold[name][:, 0], rtol=0, atol=1e-5)
        np.testing.assert_allclose(log_variance[:, channel], gold[name][:, 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_layouts_are_told_apart(name, tmp_path):
    state = build(name, 2).state_dict()
    torch.save(state, tmp_path / "best_model.pth")
    network = load(tmp_path / "best_model.pth")
    assert network.architecture == name
    assert network.name == "best_model"
    assert all(np.array_equal(network.weights[key], value) for key, value in state.items())


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "model.module."])
def test_lightning_checkpoints_and_wrapped_weights(prefix, tmp_path):
    state = {prefix + key: w for key, w in build("ptychonn-package", 2).state_dict().items()}
    content = {"epoch": 3, "state_dict": state, "hyper_parameters": {"lr": 1e-3}}
    torch.save(content, tmp_path / "last.ckpt")
    network = load(tmp_path / "last.ckpt")
    assert network.architecture == "ptychonn-package"
    assert "encoder.0.weight" in network.weights


def test_old_torch_files_and_half_precision(tmp_path):
    state = {key: w.half() for key, w in build("ptychonn-uq", 2).state_dict().items()}
    path = tmp_path / "old.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    network = load(path)
    assert network.architecture == "ptychonn-uq"
    assert {value.dtype for value in network.weights.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("name", "scaling", "side"),
    [
        ("ptychonn", "counts", 64),
        ("ptychonn2-bn", "counts-standardised", 128),
        ("ptynet-s", "sqrt-max", 128),
    ],
)
def test_published_weights_take_the_published_inputs(name, scaling, side):
    made = PUBLISHED[name]
    assert (made.scaling, made.shape, made.mean, made.std) == (scaling, (side, side), None, 1.0)


# What is refused


class Attack:
    """A pickle of this would make a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_torch_file_is_not_run(zipped, tmp_path):
    path = tmp_path / "evil.pth"
    content = {"state_dict": Attack(tmp_path / "made")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileError, match=r"evil.pth: PyTorch does not open it as plain weights"):
        load(path)
    path.write_bytes(pickle.dumps(Attack(tmp_path / "made")))
    with pytest.raises(FileError, match=r"evil.pth: is a Python pickle, which is never opened"):
        load(path)
    assert not (tmp_path / "made").exists()


def torch_bytes(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def changed(**changes):
    weights = weights_of("ptychonn2")
    return {key: torch.from_numpy(value) for key, value in weights.items()} | changes


def zip_bytes():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", b"x")
    return file.getvalue()


NAN = torch.full((16, 1, 3, 3), torch.nan)
REFUSED = {
    "noise": (lambda: np.random.default_rng(1).bytes(5000), "is of an unknown kind; need"),
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"weights = 3\n", "is a text file; need a network of this plugin"),
    "Keras": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(600), r"is an HDF5 file \(of Keras\?\); need"),
    "npz": (zip_bytes, "is a zip file; need"),
    "broken zip": (lambda: torch_bytes(changed())[:9000], "is a zip file; need"),
    "a tensor": (lambda: torch_bytes(torch.ones(3)), "holds a Tensor; need the weights"),
    "a list": (lambda: torch_bytes([1, 2]), "holds a list; need the weights"),
    "nothing": (lambda: torch_bytes({}), "holds a dict; need the weights"),
    "no tensor": (lambda: torch_bytes({"a": 3}), "holds 'a', which is a int; need the weights"),
    "another": (
        lambda: torch_bytes({"fc.weight": torch.ones(2, 3)}),
        r"holds 1 weights, the first 'fc.weight' of shape \(2, 3\), which fit no network known",
    ),
    "one too many": (
        lambda: torch_bytes(changed(more=torch.ones(3))),
        "holds 35 weights, .* fit no network known",
    ),
    "wrong shape": (
        lambda: torch_bytes(changed(**{"encoder.0.weight": torch.ones(16, 1, 5, 5)})),
        "fit no network known",
    ),
    "NaN": (
        lambda: torch_bytes(changed(**{"encoder.0.weight": NAN})),
        "weight 'encoder.0.weight' is not finite",
    ),
    "complex": (
        lambda: torch_bytes(changed(**{"encoder.0.weight": torch.ones(16, 1, 3, 3) * 1j})),
        "a weight is complex",
    ),
    "sparse": (
        lambda: torch_bytes(changed(**{"encoder.0.weight": torch.ones(16, 1, 3, 3).to_sparse()})),
        "could not read it",
    ),
    "other safetensors": (
        lambda: safetensors_of({"a": np.ones(3)}),
        "is safetensors of another program; need",
    ),
    "huge header": (
        lambda: struct.pack("<Q", 2**40) + b"{" + bytes(100),
        "its header would have 1.1 TB; a network's has at most 8.39 MB",
    ),
    "no safetensors": (
        lambda: struct.pack("<Q", 40) + b'{"a": ' + bytes(100),
        "is damaged, or no safetensors",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_anything_else_is_refused_in_a_sentence(case, tmp_path):
    make, sentence = REFUSED[case]
    path = tmp_path / "given.pth"
    path.write_bytes(make())
    with pytest.raises(FileError, match=sentence) as caught:
        load(path)
    assert str(caught.value).startswith("given.pth: ")
    assert "\n" not in str(caught.value)


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    with_adam = 3 * 4 * ARCHITECTURES["ptynet-b"].parameters
    assert with_adam < foreign.LARGEST
    monkeypatch.setattr(foreign, "LARGEST", 3_000_000)
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"")
        archive.writestr("x/data/0", bytes(4_000_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(FileError, match="unpacks to 4 MB; a network known here has at most 3 MB"):
        load(path)


def written_with(path, header=None, text=None, **tensors):
    """Write a file of ours with another header, or other tensors (None takes one away)."""
    network = network_of()
    made = network.preparation
    fields = {
        "format": 1,
        "architecture": "w3net",
        "name": "n",
        "amplitude_scale": 1.0,
        "preparation": {"scaling": made.scaling, "shape": [48, 64], "std": 2.0},
        "about": {},
    }
    for key, value in (header or {}).items():
        inner, _, name = key.rpartition(".")
        (fields[inner] if inner else fields)[name] = value
    arrays = {f"weights/{key}": np.array(value) for key, value in network.weights.items()}
    arrays = {key: a for key, a in (arrays | tensors).items() if a is not None}
    path.write_bytes(safetensors_of(arrays, {"napari_ptycho": text or json.dumps(fields)}))


def test_the_file_that_the_next_tests_change_is_read(tmp_path):
    written_with(tmp_path / "net.safetensors")
    assert load(tmp_path / "net.safetensors").preparation.std == 2.0


HEADERS = [
    ({"format": 2}, "has format 2, and this version of the plugin reads 1 only; update it"),
    ({"format": True}, "its format is True; need a int"),
    ({"architecture": "vgg"}, "its architecture is 'vgg'; need ptynet-s or w3net or"),
    ({"architecture": ["w3net"]}, "its architecture is "),
    ({"architecture": "w1net"}, "these are not the weights of W1-Net"),
    ({"name": 3}, "its name is 3; need a str"),
    ({"about": []}, r"its about is \[\]; need a dict"),
    ({"amplitude_scale": 0}, "its amplitude_scale is 0; need a positive number"),
    ({"amplitude_scale": float("nan")}, "its amplitude_scale is nan; need a positive number"),
    ({"amplitude_scale": "1"}, "its amplitude_scale is '1'; need a positive number"),
    ({"preparation": None}, "its preparation is None; need a dict"),
    ({"preparation.scaling": "log"}, "its scaling is 'log'; need standardised or sqrt-max or"),
    ({"preparation.shape": [64]}, r"patterns have the shape \[64\]; need \[height, width\]"),
    ({"preparation.shape": [64, 2**40]}, "patterns have the shape"),
    ({"preparation.shape": [64, 6.4]}, "patterns have the shape"),
    ({"preparation.std": -1}, "its std is -1; need a positive number"),
]


@pytest.mark.parametrize(("header", "sentence"), HEADERS)
def test_wrong_headers_are_refused_in_a_sentence(header, sentence, tmp_path):
    path = tmp_path / "net.safetensors"
    written_with(path, header)
    with pytest.raises(FileError, match=sentence) as told:
        load(path)
    assert str(told.value).endswith(("update it", "save the network again, or choose another file"))


@pytest.mark.parametrize(
    "text", ["no json", "[1, 2]", "null", '"a"', "[" * 100_000, "1" * 5000, '{"format": 1}']
)
def test_headers_that_are_no_object_are_refused(text, tmp_path):
    path = tmp_path / "net.safetensors"
    written_with(path, text=text)
    with pytest.raises(FileError, match=r"^net.safetensors: "):
        load(path)


TENSORS = [
    ("mean", np.ones((3, 3), np.float32), r"its mean has the shape \(3, 3\); need \(48, 64\)"),
    ("mean", np.full((48, 64), np.inf, np.float32), "its mean holds values that are not finite"),
    ("probe", np.ones((48, 64, 2), np.float32), r"its probe has the shape \(48, 64, 2\)"),
    ("probe", np.full((1, 48, 64, 2), np.nan, np.float32), "its probe holds values that are not"),
    ("weights/encoder.0.bias", None, "not the weights of W3-Net .*'encoder.0.bias' is missing"),
    ("weights/more", np.ones(2, np.float32), "'more' is one too many"),
    (
        "weights/encoder.0.bias",
        np.ones((12, 1), np.float32),
        r"'encoder.0.bias' has the shape \(12, 1\); need \(12,\)",
    ),
    ("weights/encoder.0.bias", np.full(12, np.nan, np.float32), "'encoder.0.bias' is not finite"),
    ("weights/encoder.0.bias", np.ones(12, np.uint8), "holds uint8; need float32 or int64"),
]


@pytest.mark.parametrize(("name", "tensor", "sentence"), TENSORS)
def test_wrong_tensors_are_refused_in_a_sentence(name, tensor, sentence, tmp_path):
    path = tmp_path / "net.safetensors"
    written_with(path, **{name: tensor})
    with pytest.raises(FileError, match=sentence) as told:
        load(path)
    assert str(told.value).endswith((", or choose another file", ", or choose another network"))


@pytest.mark.parametrize("length", [4, 9, 200, -1])
def test_files_that_end_too_early_are_refused_in_a_sentence(length, ours, tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(ours[:length])
    with pytest.raises(FileError, match=r"^net.safetensors: is (damaged|of an unknown kind)"):
        load(path)


def assert_read_or_refused(path, content):
    path.write_bytes(content)
    with suppress(PtychoError):
        load(path).module()


@pytest.mark.parametrize("kind", ["ours", "torch"])
def test_damaged_files_end_in_a_sentence(kind, ours, tmp_path):
    """Bytes are turned, cut out and repeated, most of them in the headers."""
    valid = ours if kind == "ours" else torch_bytes(changed())
    header = 8 + struct.unpack("<Q", ours[:8])[0] if kind == "ours" else 3000
    random = np.random.default_rng(3)
    path = tmp_path / "net.safetensors"
    for turn in range(60):
        content = bytearray(valid)
        for _ in range(random.integers(1, 4)):
            at = random.integers(header if turn % 4 else len(content))
            content[at] ^= 1 << random.integers(8)
        assert_read_or_refused(path, bytes(content))
    for _ in range(15):
        start, stop = sorted(random.integers(len(valid), size=2))
        assert_read_or_refused(path, valid[:start])
        assert_read_or_refused(path, valid[:start] + valid[stop:])


def test_changed_words_of_the_header_end_in_a_sentence(ours, tmp_path):
    """Values of the header are swapped for others of any type, which bytes alone rarely do."""
    path = tmp_path / "net.safetensors"
    others = ["-1", "null", "1e999", '""', "[]", "{}", "true", "9" * 400, '"\\u0000"']
    length = struct.unpack("<Q", ours[:8])[0]
    head, data = json.loads(ours[8 : 8 + length]), ours[8 + length :]
    text = head["__metadata__"]["napari_ptycho"]
    values = list(re.finditer(r'(?<=: )("[^"]*"|[\d.]+|\[[^\]]*\])', text))
    assert len(values) > 8
    for number, value in enumerate(values):
        other = others[number % len(others)]
        head["__metadata__"]["napari_ptycho"] = text[: value.start()] + other + text[value.end() :]
        new = json.dumps(head).encode()
        assert_read_or_refused(path, struct.pack("<Q", len(new)) + new + data)


# Shipped


def test_only_shipped_names():
    with pytest.raises(OptionsError, match="no network 'vgg' is shipped; there is ptynet-s, w3net"):
        shipped("vgg")


def test_shipped_networks_are_read_from_the_package(monkeypatch, tmp_path, ours):
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "w3net.safetensors").write_bytes(ours)
    monkeypatch.setattr(checkpoint.resources, "files", lambda package: tmp_path)
    assert shipped("w3net").architecture == "w3net"
    with pytest.raises(FileError, match="ptynet-s"):
        shipped("ptynet-s")
