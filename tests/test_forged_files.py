"""What cannot be saved is named, and damaged and forged files are refused in one sentence."""

import functools
import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

import sigfeat.transformers.embeddings._persistence.reader as reader
import sigfeat.transformers.embeddings._persistence.writer as writer
from sigfeat import MHAEmbedder
from sigfeat.nn.encoder import EncoderSpec
from sigfeat.transformers._contract.base import FeatureTransformer, PanelTransformer
from sigfeat.transformers.embeddings._persistence import load_estimator, save_estimator
from tests.saved import SMALL, SPECS, Fake, Stranger, encoder, fitted, panel


@pytest.fixture(autouse=True)
def _fake_is_public(monkeypatch):
    public = reader.public_class
    for module in (reader, writer):
        monkeypatch.setattr(module, "public_class", lambda name: Fake if name == "Fake" else public(name))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "saved"


# --------------------------------------------------------------------------------------------------- refusals


class Text(str):
    pass


REFUSED = {
    "a set": ({1}, "set"),
    "bytes": (b"1", "bytes"),
    "a function": (len, "builtin_function_or_method"),
    "a class": (np.float32, "type"),
    "a kind of text": (Text("a"), "Text"),
    "complex": (1j, "complex"),
    "a generator": (np.random.default_rng(0), "Generator"),
    "another bit generator": (
        np.random.RandomState(np.random.PCG64(0)),  # noqa: NPY002
        "RandomState of PCG64",
    ),
    "dates": (np.zeros(2, dtype="M8[s]"), "dtype datetime64"),
    "records": (np.zeros(2, dtype="f4,i4"), "dtype"),
    "long numbers": (np.zeros(2, dtype=np.longdouble), "dtype float128"),
    "objects": (np.array(["a", None], dtype=object), "object array with a NoneType"),
    "a masked array": (np.ma.zeros(2), "MaskedArray"),
    "a date": (np.datetime64("2020"), "dtype datetime64"),
    "keys": ({1: 2}, "dict with keys such as 1"),
    "a module": (torch.nn.Linear(1, 1), "Linear"),
    "a tensor": (torch.zeros(1), "Tensor"),
    "another estimator": (StandardScaler(), "StandardScaler"),
    "a derived estimator": (Stranger(), "Stranger"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_saved_is_named(name, folder):
    value, kind = REFUSED[name]
    with pytest.raises(TypeError, match=rf"^extra.inner.1 cannot be saved: it is of type {kind}"):
        save_estimator(fitted(extra={"inner": [0, value]}), folder)
    assert not folder.exists()


def test_estimators_that_cannot_be_saved(folder):
    with pytest.raises(NotFittedError):
        save_estimator(Fake(), folder)
    with pytest.raises(TypeError, match="type Stranger"):
        save_estimator(Stranger().fit(panel()), folder)
    with pytest.raises(ValueError, match="'mixer' parameter of Fake must be"):
        save_estimator(fitted().set_params(mixer=3), folder)
    with pytest.raises(ValueError, match="FrozenEstimator must hold a transformer of sigfeat"):
        save_estimator(fitted(teacher=FrozenEstimator("text")), folder)
    estimator = fitted(extra=[])
    estimator.extra.append(estimator.extra)
    with pytest.raises(ValueError, match="Fake cannot be saved: its values contain themselves"):
        save_estimator(estimator, folder)
    estimator = fitted()
    estimator.transform = 1
    with pytest.raises(ValueError, match="it has an unknown attribute 'transform' of Fake"):
        save_estimator(estimator, folder)
    assert not folder.exists()


def test_encoders_that_cannot_be_saved(folder):
    estimator = fitted()
    estimator.encoder_.norm.weight.data[1] = torch.nan
    with pytest.raises(ValueError, match=r"encoder_\.norm\.weight must be finite"):
        save_estimator(estimator, folder)
    estimator.encoder_ = encoder(SPECS[0]).half()
    with pytest.raises(TypeError, match=r"encoder_\.embedding\.weight cannot be saved: it is of type .*float16"):
        save_estimator(estimator, folder)
    estimator.encoder_ = encoder(SPECS[0])
    estimator.encoder_.norm = torch.nn.LayerNorm(7)
    with pytest.raises(ValueError, match=r"encoder_\.norm\.bias must be float32 of shape \(4,\), got .*\(7,\)"):
        save_estimator(estimator, folder)
    assert not folder.exists()


# ------------------------------------------------------------------------------------------ damage and forgery


@pytest.fixture
def saved(folder):
    """A folder with an estimator that has a value of every kind."""
    extra = {
        "array": np.arange(3),
        "truth": np.array([True]),
        "text": np.array(["ab"]),
        "names": np.array(["a", "b"], dtype=object),
        "scalar": np.float64(1.5),
        "nan": float("nan"),
        "tuple": (1,),
        "list": [1],
        "dtype": np.dtype("f4"),
        "device": torch.device("cpu"),
        "random": np.random.RandomState(0),  # noqa: NPY002
        "spec": SPECS[0],
    }
    teacher = FrozenEstimator(fitted(mixer="attention"))
    save_estimator(fitted(mixer="attention", teacher=teacher).set_params(extra=extra), folder)
    return folder


def forge(folder, change_values=None, change_arrays=None):
    """Change what is in the files, and make all checksums right again."""
    document = json.loads((folder / "estimator.json").read_text())
    if change_arrays:
        arrays = load((folder / "weights.safetensors").read_bytes())
        change_arrays(arrays)
        data = save(arrays)
        (folder / "weights.safetensors").write_bytes(data)
        document["weights"] = hashlib.sha256(data).hexdigest()
    if change_values:
        change_values(document)
    document.pop("sha256", None)
    text = json.dumps(document, separators=(",", ":"))
    document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "estimator.json").write_text(json.dumps(document))


def assert_refused(folder, message, cls=Fake):
    """One sentence that names the file and says what is wrong."""
    with pytest.raises(ValueError, match=message) as caught:
        load_estimator(cls, folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("file", ["estimator.json", "weights.safetensors"])
def test_missing_files(file, saved):
    (saved / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"there is no file .*saved/{file}"):
        load_estimator(Fake, saved)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing/estimator\.json"):
        load_estimator(Fake, saved.parent / "nothing")


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"{", b"[" * 100_000, b'{"a": NaN}', b"9" * 5000], ids=len)
def test_values_that_are_not_json(data, saved):
    (saved / "estimator.json").write_bytes(data)
    assert_refused(saved, r"saved/estimator\.json cannot be loaded: it is not JSON")


@pytest.mark.parametrize("file", ["estimator.json", "weights.safetensors"])
def test_every_changed_or_missing_byte_is_noticed(file, saved, rng):
    data = (saved / file).read_bytes()
    digits = [i for i, byte in enumerate(data) if 48 <= byte < 57] if file == "estimator.json" else range(len(data))
    for i in rng.choice(digits, 20):
        (saved / file).write_bytes(data[:i] + bytes([data[i] + 1 & 0xFF]) + data[i + 1 :])
        assert_refused(saved, "cannot be loaded: (its checksum is|format version|its format)")
        (saved / file).write_bytes(data[:i])
        assert_refused(saved, "cannot be loaded: (its checksum is|it is not JSON)")


def test_weights_of_another_estimator(saved, tmp_path):
    save_estimator(fitted(), tmp_path / "other")
    (tmp_path / "other" / "weights.safetensors").rename(saved / "weights.safetensors")
    assert_refused(saved, r"weights\.safetensors cannot be loaded: its checksum is not that in estimator\.json")


@pytest.mark.parametrize("data", [b"", b"mine", b"\xff" * 64], ids=len)
def test_weights_that_are_not_safetensors(data, saved):
    (saved / "weights.safetensors").write_bytes(data)
    forge(saved, set_at("weights", hashlib.sha256(data).hexdigest()))
    assert_refused(saved, r"weights\.safetensors cannot be loaded: it is not safetensors")


def set_at(place, value):
    """Change of one value of the document; ... removes it."""

    def change(document):
        *above, name = place.split("/")
        for key in above:
            document = document[key]
        if value is ...:
            del document[name]
        else:
            document[name] = value

    return change


PARAMETERS = "estimator/parameters/"
ATTRIBUTES = "estimator/attributes/"
EXTRA = "estimator/parameters/extra/dict/"
SPEC = "estimator/attributes/encoder_/encoder/"
OTHER = {"class": "MHAEmbedder", "parameters": MHAEmbedder().get_params(), "attributes": {}}
HUGE = {"shape": [0, 2**70], "values": []}
FORGED_VALUES = [
    ("format", "other", "its format is not 'sigfeat estimator'"),
    ("version", 2, "format version must be 3, got 2"),
    ("version", "3", "format version must be 3, got '3'"),
    ("version", ..., "format version must be 3, got None"),
    ("version", True, "format version must be 3, got True"),
    ("version", 3.0, "version of it must be of type int, got 3.0"),
    ("more", 1, "it must have the fields format, .* got .*more"),
    ("weights", None, "weights of it must be of type str, got None"),
    ("estimator", [], r"estimator of it must be of type dict, got \[\]"),
    ("estimator", OTHER, "of class MHAEmbedder"),
    ("estimator/class", "StandardizeChannels", "there is no class 'StandardizeChannels'"),
    ("estimator/class", ..., "it must have the fields class, parameters, attributes"),
    ("estimator/class", "os.system", "there is no class 'os.system'"),
    ("estimator/class", "to_panel", "there is no class 'to_panel'"),
    ("estimator/class", "MHAEmbedder", "it has no parameter 'batch_size' of MHAEmbedder"),
    (PARAMETERS + "lr", 1, "it has an unknown parameter 'lr' of Fake"),
    (PARAMETERS + "device", ..., "it has no parameter 'device' of Fake"),
    (PARAMETERS + "mixer", 1, "The 'mixer' parameter of Fake must be"),
    (PARAMETERS + "random_state", -1, "The 'random_state' parameter of Fake must be"),
    (PARAMETERS + "teacher/estimator/parameters/estimator", 1, "must hold a transformer of sigfeat"),
    (PARAMETERS + "teacher", {"same": ""}, "teacher must be the same as an earlier estimator, got ''"),
    (PARAMETERS + "teacher", {"same": []}, "teacher must be the same as an earlier estimator"),
    (ATTRIBUTES + "device", "cpu", "it has an unknown attribute 'device' of Fake"),
    (ATTRIBUTES + "transform", 1, "it has an unknown attribute 'transform' of Fake"),
    (ATTRIBUTES + "__class__", 1, "it has an unknown attribute '__class__' of Fake"),
    (ATTRIBUTES + "_parameter_constraints", {"dict": {}}, "unknown attribute '_parameter_constraints'"),
    (ATTRIBUTES + "teacher_/same", "nobody", "teacher_ must be the same as an earlier estimator"),
    (ATTRIBUTES + "more_", 1, "it has an unknown attribute 'more_' of Fake"),
    (ATTRIBUTES + "n_channels_", 3, "attribute n_channels_ of it must be 2, got 3"),
    (ATTRIBUTES + "encoder_", ..., "it has no attribute 'encoder_' of Fake"),
    ("estimator/attributes", {}, "not fitted"),
    (ATTRIBUTES + "encoder_", {"array": "<f4"}, "tensor encoder_ is missing"),
    (EXTRA + "list", {}, "extra.list must be a value of a known kind, got {}"),
    (EXTRA + "list", {"eval": "1"}, "extra.list must be a value of a known kind"),
    (EXTRA + "list", {"tuple": [], "dict": {}}, "extra.list must be a value of a known kind"),
    (EXTRA + "list", {"dict": []}, "extra.list must be an object"),
    (EXTRA + "list", {"array": "<f8"}, "tensor extra.list is missing"),
    (EXTRA + "tuple", {"tuple": "ab"}, "extra.tuple must be a list, got 'ab'"),
    (EXTRA + "nan", {"float": []}, r"extra.nan must be a number, or nan, inf or -inf, got \[\]"),
    (EXTRA + "nan", float("inf"), "not JSON"),
    (EXTRA + "array", ..., r"weights\.safetensors has a tensor extra.array that belongs to nothing"),
    (EXTRA + "array/array", "<f8", "tensor extra.array must be of float64, for values of float64, got int64"),
    (EXTRA + "array/array", "<U3", "tensor extra.array must be of uint32"),
    (EXTRA + "array/array", "|O", "tensor extra.array must be of object"),
    (EXTRA + "array/array", "V8", "extra.array must be a dtype of numbers or strings, got 'V8'"),
    (EXTRA + "array/array", ["f4", "f4"], "extra.array must be a dtype of numbers or strings"),
    (EXTRA + "array", {"scalar": "<i8"}, r"tensor extra.array must be a scalar, got shape \(3,\)"),
    (EXTRA + "dtype/dtype", "(9999999,)f8", "extra.dtype must be a dtype of numbers or strings"),
    (EXTRA + "device/device", "nowhere", "extra.device must be a device of torch, got 'nowhere'"),
    (EXTRA + "names/strings/shape", [3], "extra.names must hold strings, as many as in its shape"),
    (EXTRA + "names/strings/shape", [-1, -2], "extra.names must hold strings"),
    (EXTRA + "names/strings/values", ["a", 1], "extra.names must hold strings"),
    (EXTRA + "names/strings", HUGE, "estimator.json cannot be loaded"),
    (EXTRA + "random/random_state/position", 625, "extra.random must be the state of a Mersenne twister"),
    (EXTRA + "random/random_state/position", -1, "extra.random must be the state of a Mersenne twister"),
    (EXTRA + "random/random_state/gauss", "0", "gauss of extra.random must be of type float, got '0'"),
    (SPEC + "mixer", "eval", "mixer of encoder_ is out of range, got 'eval'"),
    (SPEC + "kind", ..., "encoder_ must have the fields mixer, d_model"),
    (SPEC + "more", 1, "encoder_ must have the fields mixer, d_model"),
    (SPEC + "d_model", "4", "d_model of encoder_ must be of type int, got '4'"),
    (SPEC + "d_model", True, "d_model of encoder_ must be of type int, got True"),
    (SPEC + "d_model", 4.0, "d_model of encoder_ must be of type int, got 4.0"),
    (SPEC + "d_model", 0, "d_model of encoder_ is out of range, got 0"),
    (SPEC + "d_model", 2**31 - 2, "encoder_"),
    (SPEC + "d_ff", 10**100, "d_ff of encoder_ is out of range"),
    (SPEC + "n_layers", 10**9, "encoder_ is too large for its .* tensors"),
    (SPEC + "n_layers", 1, "tensor encoder_.blocks.1.* belongs to no part of the network"),
    (SPEC + "n_layers", 3, "tensor encoder_.blocks.2.* is missing"),
    (SPEC + "n_channels", 3, r"tensor encoder_.embedding.weight must be .*\(4, 3\), got .*\(4, 2\)"),
    (SPEC + "n_heads", 3, "n_heads of encoder_ is out of range, got 3"),
    (SPEC + "positions", "learnt", "positions of encoder_ is out of range, got 'learnt'"),
    (SPEC + "positions", ["rotary"], "positions of encoder_ must be of type str"),
    (SPEC + "expansion", 0.0, "expansion of encoder_ is out of range, got 0.0"),
    (SPEC + "expansion", float(2**16), "expansion of encoder_ is out of range"),
    (SPEC + "embedding_filter", 0, "embedding_filter of encoder_ is out of range, got 0"),
    (SPEC + "embedding_filter", 2, "encoder_ is of no network: embedding_filter must be odd unless causal, got 2"),
    (SPEC + "embedding_filter", 3, r"tensor encoder_.embedding.weight must be .*\(4, 6\), got .*\(4, 2\)"),
    (SPEC + "filter_length", 0, "filter_length of encoder_ is out of range, got 0"),
    (SPEC + "filter_length", 2**31, "filter_length of encoder_ is out of range"),
    (SPEC + "filter_length", True, r"filter_length of encoder_ must be of type int \| None, got True"),
    (SPEC + "filter_length", 9.0, r"filter_length of encoder_ must be of type int \| None, got 9.0"),
    (SPEC + "dropout", 1.0, "dropout of encoder_ is out of range"),
    (SPEC + "time_scale", -1.0, "time_scale of encoder_ is out of range"),
    (SPEC + "mixer", "pointwise", "tensor encoder_.blocks.0.mixer.in_projection.* must be"),
    (SPEC + "mixer", "s4", "tensor encoder_.blocks.0.mixer.* is missing"),
]


@pytest.mark.parametrize(("place", "value", "message"), FORGED_VALUES, ids=range(len(FORGED_VALUES)))
def test_forged_values(place, value, message, saved):
    forge(saved, set_at(place, value))
    assert_refused(saved, message)


def weight(name, values):
    return lambda arrays: arrays.__setitem__(name, values)


NORM = "encoder_.norm.weight"
FORGED_ARRAYS = [
    (lambda arrays: arrays.pop(NORM), f"tensor {NORM} is missing"),
    (lambda arrays: arrays.pop("extra.array"), r"tensor extra.array is missing"),
    (weight("more", np.zeros(1)), r"weights\.safetensors has a tensor more that belongs to nothing in estimator\.json"),
    (weight("encoder_.more", np.zeros(1, "f4")), "tensor encoder_.more belongs to no part of the network"),
    (weight(NORM, np.zeros(5, "f4")), rf"tensor {NORM} must be float32 of shape \(4,\), got float32 of shape \(5,\)"),
    (weight(NORM, np.zeros(4, "i4")), rf"tensor {NORM} must be float32 of shape \(4,\), got int32"),
    (weight(NORM, np.zeros(4, "f8")), rf"tensor {NORM} must be float32 of shape \(4,\), got float64"),
    (weight(NORM, np.array([0, 1, np.inf, 0], "f4")), f"tensor {NORM} must be finite"),
    (weight("teacher.estimator." + NORM, np.full(4, np.nan, "f4")), "tensor teacher.estimator.*must be finite"),
    (
        weight("extra.array", np.zeros((3, 2), "u4")),
        "tensor extra.array must be of int64, for values of int64, got uint32",
    ),
    (weight("extra.truth", np.array([7], "u1").view(bool)), "tensor extra.truth must hold values of bool, got 7"),
    (weight("extra.text", np.array([[1, 2**31]], "u4")), "tensor extra.text must hold values of <U2, got 2147483648"),
    (weight("extra.text", np.array([1, 2, 3], "u4")), "tensor extra.text must be of uint32, for values of <U2"),
    (weight("extra.text", np.array(1, "u4")), "tensor extra.text must be of uint32, for values of <U2"),
    (weight("extra.random", np.zeros(623, "u4")), "extra.random must be the state of a Mersenne twister"),
    (weight("extra.random", np.zeros(624, "u8")), "extra.random must be the state of a Mersenne twister"),
]


@pytest.mark.parametrize(("change", "message"), FORGED_ARRAYS, ids=range(len(FORGED_ARRAYS)))
def test_forged_arrays(change, message, saved):
    forge(saved, change_arrays=change)
    assert_refused(saved, message)


@pytest.mark.parametrize("kind", ["diagonal", "dplr"])
def test_sizes_that_weights_do_not_justify(kind, folder):
    """State space models make their first values before they can be compared."""
    estimator = fitted()
    estimator.encoder_ = encoder(EncoderSpec("s4", 2, kind=kind, **SMALL))
    save_estimator(estimator, folder)
    for name, value in (("d_state", 2**30), ("d_model", 2**30), ("d_state", 5000)):
        forge(folder, set_at(SPEC + name, value))
        assert_refused(folder, "encoder_ is too large for its")
    estimator.encoder_.spec = EncoderSpec("s4", 2, kind="dplr", **SMALL | {"d_state": 1026})
    with pytest.raises(ValueError, match="too large"):
        save_estimator(estimator, folder)


def test_forged_classes(saved):
    assert_refused(saved, "it is of class Fake, not of Stranger", cls=Stranger)
    assert_refused(saved, "it is of class Fake, not of FeatureTransformer", cls=FeatureTransformer)
    assert type(load_estimator(PanelTransformer, saved)) is Fake


@pytest.mark.parametrize("depth", [190, 600])
def test_deep_values(depth, saved):
    deep = functools.reduce(lambda inner, _: [inner], range(depth), [])
    if depth == 190:  # with the levels above
        forge(saved, set_at(EXTRA + "list", deep))
        assert load_estimator(Fake, saved).extra["list"]
        deep = [[[[[[[[[[deep]]]]]]]]]]
    forge(saved, set_at(EXTRA + "list", deep))
    assert_refused(saved, "cannot be loaded: its values are nested deeper than 200 levels")


def places(node, above=""):
    """Places of all values of a document."""
    for name in node if isinstance(node, dict) else ():
        yield above + name
        yield from places(node[name], f"{above}{name}/")


def test_no_forgery_does_more_than_raise_a_value_error(saved, rng):
    """Every value of the document in turn is replaced by values of other kinds, or left out."""
    original = (saved / "estimator.json").read_text()
    others = [None, True, -1, 2**70, 1e300, "", "<f8", [], [[]], {}, {"dict": {"x": 1}}, {"array": "<f8"}, ...]
    refused, everywhere = 0, list(places(json.loads(original)))
    for place in everywhere:
        (saved / "estimator.json").write_text(original)
        forge(saved, set_at(place, others[rng.integers(len(others))]))
        try:
            load_estimator(Fake, saved)
        except ValueError:
            refused += 1
    assert refused > len(everywhere) / 2
