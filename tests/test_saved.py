"""The same promises for everything that is saved: embedders and language models are refused for the same reasons."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder
from sigfeat.nn import HyenaLM, LanguageModelConfig
from sigfeat.nn.saved.specs import spec_fields
from tests.saved import panel

SMALL = {"d_model": 8, "n_layers": 2, "d_ff": 6}
STUDENT = {"filter_width": 3, "max_epochs": 1, "batch_size": 4}
WEIGHTS = "weights.safetensors"


@dataclasses.dataclass(frozen=True)
class Kind:
    """How one kind of object is saved; `spec` is the place of the settings of its network in the document."""

    values: str
    spec: str
    prefix: str
    version: int
    load: Callable[[Path], Any]


KINDS = {
    "attention": Kind("estimator.json", "estimator/attributes/encoder_/encoder", "encoder_.", 3, MHAEmbedder.load),
    "hyena": Kind(
        "estimator.json", "estimator/attributes/encoder_/encoder", "encoder_.", 3, HyenaEmbeddingTransformer.load
    ),
    "language": Kind("model.json", "config", "", 3, HyenaLM.load),
}
every_kind = pytest.mark.parametrize("name", KINDS)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Folders of one saved object of each kind."""
    folder = tmp_path_factory.mktemp("originals")
    teacher = MHAEmbedder(n_heads=2, max_epochs=1, batch_size=4, **SMALL)
    student = HyenaEmbeddingTransformer(teacher, control=True, **STUDENT).fit(panel())
    student.save(folder / "hyena")
    student.teacher_.save(folder / "attention")
    config = LanguageModelConfig(n_tokens=11, context=16, n_heads=2, filter_width=3, **SMALL)
    HyenaLM(config, generator=torch.Generator().manual_seed(0)).save(folder / "language")
    return folder


@pytest.fixture
def forged(originals, tmp_path):
    """Function that copies a saved object, changes its document and its weights, and makes the checksums right."""

    def forge(name, change=lambda document: None, change_weights=lambda tensors: None, text=lambda text: text):
        folder, values = tmp_path / name, KINDS[name].values
        folder.mkdir(exist_ok=True)
        document = json.loads((originals / name / values).read_text())
        tensors = load((originals / name / WEIGHTS).read_bytes())
        change_weights(tensors)
        data = save(tensors)
        document["weights"] = hashlib.sha256(data).hexdigest()
        change(document)
        if document.pop("sha256", None):
            checked = json.dumps(document, separators=(",", ":"))
            document["sha256"] = hashlib.sha256(checked.encode()).hexdigest()
        (folder / WEIGHTS).write_bytes(data)
        (folder / values).write_text(text(json.dumps(document)))
        return folder

    return forge


def assert_refused(name, folder, message):
    """One sentence that names the file and says what is wrong."""
    with pytest.raises(ValueError, match=message) as caught:
        KINDS[name].load(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def set_at(place, value):
    """Change of one value of the document; ... removes it."""

    def change(document):
        *above, last = place.split("/")
        for key in above:
            document = document[key]
        if value is ...:
            del document[last]
        else:
            document[last] = value

    return change


# -------------------------------------------------------------------------------------------------- documents


@every_kind
def test_what_is_not_forged_is_loaded(name, originals, forged):
    one, two = (KINDS[name].load(folder) for folder in (originals / name, forged(name)))
    if name != "language":
        np.testing.assert_array_equal(one.transform(panel()), two.transform(panel()))
        one, two = one.encoder_, two.encoder_
    assert all(torch.equal(weight, two.state_dict()[key]) for key, weight in one.state_dict().items())


@every_kind
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"format"', '"version": 3, "format"', "it is not JSON .*'version' is there more than once"),
        ('"weights"', '"weights": NaN, "more"', "it is not JSON .*NaN is not allowed"),
        ('"weights"', '"more": -Infinity, "weights"', "it is not JSON .*-Infinity is not allowed"),
        ('"weights"', '"more": 1e999, "weights"', "it is not JSON .*1e999 is too large"),
        ('"weights"', f'"more": {"[" * 250}{"]" * 250}, "weights"', "nested deeper than 200 levels"),
        ('"weights"', f'"more": {"[" * 99999}{"]" * 99999}, "weights"', "it is not JSON"),
        ('"weights"', '"more": 1, "weights"', "it must have the fields format, version, .* got .*more"),
        ('"format"', '"shape"', "its format is not 'sigfeat"),
        ("0.0", "0.5", "its checksum is wrong, so it was changed or damaged"),
        ('"d_ff": 6', '"d_ff": 7', "its checksum is wrong"),
    ],
    ids=lambda text: text[:20],
)
def test_documents(name, old, new, message, forged):
    folder = forged(name, text=lambda text: text.replace(old, new, 1))
    assert_refused(name, folder, rf"{KINDS[name].values} cannot be loaded: .*{message}")


@every_kind
@pytest.mark.parametrize(("step", "who"), [(-1, "an older sigfeat saved it"), (1, "a newer sigfeat saved it")])
def test_versions(name, step, who, forged):
    version = KINDS[name].version
    message = f"format version must be {version}, got {version + step}: {who}"
    assert_refused(name, forged(name, set_at("version", version + step)), message)


@every_kind
def test_weights_have_a_checksum(name, originals, forged):
    folder = forged(name)
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert_refused(name, folder, f"safetensors cannot be loaded: its checksum is not that in {KINDS[name].values}")


# ------------------------------------------------------------------------------------------ settings and weights

SETTINGS = [
    ("mixer", "eval", "mixer of .* is out of range, got 'eval'"),
    ("mixer", ..., "must have the fields mixer, d_model"),
    ("more", 1, "must have the fields mixer, d_model"),
    ("d_model", 0, "d_model of .* is out of range, got 0"),
    ("d_model", 8.0, "d_model of .* must be of type int, got 8.0"),
    ("d_model", 2**31 - 2, "must be|no network"),
    ("d_model", 10**30, "d_model of .* is out of range"),
    ("n_layers", 10**8, "too large for its .* tensors"),
    ("n_layers", 3, "blocks.2.* is missing"),
    ("n_layers", 1, "blocks.1.* belongs to no part of the network"),
    ("d_ff", 0, "d_ff of .* is out of range, got 0"),
    ("dropout", -3.0, "dropout of .* is out of range, got -3.0"),
    ("dropout", 1.0, "dropout of .* is out of range, got 1.0"),
    ("dropout", "0", "dropout of .* must be of type float, got '0'"),
    ("n_heads", 0, "n_heads of .* is out of range, got 0"),
    ("positions", "learnt", "positions of .* is out of range, got 'learnt'"),
    ("order", 0, "order of .* is out of range, got 0"),
    ("short_filter", -1, "short_filter of .* is out of range, got -1"),
    ("filter_length", 0, "filter_length of .* is out of range, got 0"),
    ("filter_length", 1.5, r"filter_length of .* must be of type int \| None, got 1.5"),
    ("time_scale", -1.0, "time_scale of .* is out of range, got -1.0"),
    ("time_scale", "1", "time_scale of .* must be of type float"),
    ("gate_norm", 1, "gate_norm of .* must be of type bool, got 1"),
    ("expansion", 0.0, "expansion of .* is out of range, got 0.0"),
    ("filter", "learnt", "filter of .* is out of range, got 'learnt'"),
    ("n_modes", 2**31, "n_modes of .* is out of range"),
    ("d_state", 0, "d_state of .* is out of range, got 0"),
    ("kind", "dense", "kind of .* is out of range, got 'dense'"),
]
SETTINGS_OF_LANGUAGE = [
    ("context", 1e300, r"context of config must be of type int, got 1e\+300"),
    ("context", 0, "context of config is out of range, got 0"),
    ("n_tokens", 2**31, "n_tokens of config is out of range"),
    ("n_tokens", 12, r"tensor embedding.weight must be float32 of shape \(12, 8\), got float32 of shape \(11, 8\)"),
]


@pytest.mark.parametrize(
    ("name", "field", "value", "message"),
    [(name, *case) for name in KINDS for case in SETTINGS] + [("language", *case) for case in SETTINGS_OF_LANGUAGE],
    ids=str,
)
def test_settings(name, field, value, message, forged):
    folder = forged(name, set_at(f"{KINDS[name].spec}/{field}", value))
    assert_refused(name, folder, rf"{KINDS[name].values} cannot be loaded: .*{message}")


@every_kind
@pytest.mark.parametrize(("kind", "d_state"), [("dplr", 20_000), ("dplr", 2000), ("diagonal", 2**30)])
def test_state_spaces_that_weights_do_not_justify(name, kind, d_state, forged):
    def change(document):
        for field, value in (("mixer", "s4"), ("kind", kind), ("d_state", d_state)):
            set_at(f"{KINDS[name].spec}/{field}", value)(document)

    assert_refused(name, forged(name, change), "too large for its .* tensors")


def weight(change):
    """Change of the first norm."""

    def change_weights(tensors):
        key = next(key for key in tensors if key.endswith("blocks.0.mixer_norm.weight") and "teacher" not in key)
        changed = change(tensors[key])
        tensors.pop(key) if changed is None else tensors.__setitem__(key, changed)

    return change_weights


TENSORS = [
    (weight(lambda values: values * torch.nan), "tensor .*mixer_norm.weight must be finite"),
    (weight(lambda values: values + torch.inf), "tensor .*mixer_norm.weight must be finite"),
    (weight(lambda values: values.double()), r"must be float32 of shape \(8,\), got float64 of shape \(8,\)"),
    (weight(lambda values: values.half()), r"must be float32 of shape \(8,\), got float16"),
    (weight(lambda values: values.int()), r"must be float32 of shape \(8,\), got int32"),
    (weight(lambda values: values[:-1].clone()), r"must be float32 of shape \(8,\), got float32 of shape \(7,\)"),
    (weight(lambda values: None), "tensor .*mixer_norm.weight is missing"),
]


@every_kind
@pytest.mark.parametrize(("change", "message"), TENSORS, ids=range(len(TENSORS)))
def test_weights(name, change, message, forged):
    assert_refused(name, forged(name, change_weights=change), message)


@every_kind
def test_weights_of_nothing(name, forged):
    key = KINDS[name].prefix + "more"
    folder = forged(name, change_weights=lambda tensors: tensors.update({key: torch.zeros(1)}))
    assert_refused(name, folder, f"tensor {key} belongs to no part of the network")


@every_kind
def test_weights_all_of_a_dtype_of_no_network(name, forged):
    def change(tensors):
        for key in tensors:
            if key.startswith(KINDS[name].prefix):
                tensors[key] = tensors[key].to(torch.int32)

    assert_refused(name, forged(name, change_weights=change), "weights of .* must be float32 or float64.*, got int32")


def test_language_models_that_could_not_be_loaded_are_not_saved(tmp_path):
    config = LanguageModelConfig(n_tokens=11, context=16, dropout=-3.0, n_heads=2, **SMALL)
    model = HyenaLM(config, generator=torch.Generator())
    with pytest.raises(ValueError, match="dropout of config is out of range, got -3.0"):
        model.save(tmp_path / "model")
    model = HyenaLM(dataclasses.replace(config, dropout=0.0), generator=torch.Generator())
    model.norm.double()
    with pytest.raises(ValueError, match="tensor norm.bias must be float32 of shape .8,., got float64"):
        model.save(tmp_path / "model")
    model.float().norm.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match=r"tensor norm\.weight must be finite"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_weights_of_every_dtype(dtype, tmp_path):
    model = HyenaLM(LanguageModelConfig(n_tokens=11, **SMALL), generator=torch.Generator().manual_seed(0)).to(dtype)
    model.save(tmp_path / "model")
    assert {weight.dtype for weight in HyenaLM.load(tmp_path / "model").parameters()} == {dtype}


def test_whole_numbers_and_numbers_of_numpy_in_settings():
    config = LanguageModelConfig(n_tokens=11, **SMALL)
    given = {"expansion": 1, "d_ff": np.int64(6), "time_scale": np.float32(2), "gate_norm": np.bool_(True)}
    for name, value in given.items():
        object.__setattr__(config, name, value)  # past the checks of types in tests
    fields = json.loads(json.dumps(spec_fields(config, "config")))
    assert LanguageModelConfig(**fields) == config


# -------------------------------------------------------------------------------------------------- attributes

CHANGED = [
    ("pooling_", "x", "attribute pooling_ of it must be one of end, mean, max, min, got 'x'"),
    ("pooling_", ["mean"], "attribute pooling_ of it must be one of"),
    ("n_channels_", 0, "attribute n_channels_ of it must be a whole number from 1 up, got 0"),
    ("n_channels_", 3, "attribute n_features_in_|encoder_ of it must be"),
    ("n_channels_", True, "attribute n_channels_ of it must be a whole number"),
    ("n_features_in_", 7, "attribute n_features_in_ of it must be the number of channels, or of columns .* got 7"),
    ("_fitted_on_table", 1, "attribute _fitted_on_table of it must be a bool, got 1"),
    ("_columns", ["a"], "attribute _columns of it must be None or n_channels_ strings"),
    ("feature_names_in_", {"strings": {"shape": [1], "values": ["a"]}}, "feature_names_in_ of it must be an array"),
    ("mean_", None, "attribute mean_ of it must be n_channels_ finite numbers|tensor mean_"),
    ("_compute_dtype", {"dtype": "<f8"}, "attribute _compute_dtype of it must be the dtype of the weights"),
    ("_compute_dtype", {"dtype": "|O"}, "attribute _compute_dtype of it must be the dtype of the weights"),
    ("n_parameters_", 1, "attribute n_parameters_ of it must be the number of weights, got 1"),
    ("_windows", {"tuple": [1, 2]}, "attribute _windows of it must be runs of at most 65536 parts|tensor _windows"),
    ("_endings", ["|max"], r"attribute _endings of it must be the pooling and the window .* got \['\|max'\]"),
    ("_endings", [], "attribute _endings of it must be the pooling and the window"),
    ("_label", "x", "attribute _label of it must be the name of the encoder, got 'x'"),
    ("_n_features_out", 9, "attribute _n_features_out of it must be the number of windows times"),
    ("history_", {"dict": {"more": 1}}, "attribute history_ of it must be a dict of arrays"),
    ("history_", [], "attribute history_ of it must be a dict of arrays"),
    ("encoder_", 1, "attribute encoder_ of it must be an encoder with the mixer of its class|tensor encoder_"),
    ("more_", 1, "it has an unknown attribute 'more_' of"),
    ("transform", 1, "it has an unknown attribute 'transform' of"),
    ("_sklearn_output_config", {"dict": {"transform": "x"}}, "attribute _sklearn_output_config of it must be"),
    *[(name, ..., f"it has no attribute '{name}'") for name in ("mean_", "scale_", "pooling_", "_windows", "history_")],
]
CHANGED_OF = {
    "attention": [
        *CHANGED,
        ("fit_mode_", "x", "attribute fit_mode_ of it must be one of supervised, masked, random, got 'x'"),
        ("fit_mode_", ..., "it has no attribute 'fit_mode_' of MHAEmbedder"),
        ("teacher_", None, "it has an unknown attribute 'teacher_' of MHAEmbedder"),
    ],
    "hyena": [
        *CHANGED,
        ("fidelity_", {"dict": {"cka": 0.5}}, "attribute fidelity_ of it must be a dict of the figures"),
        ("fidelity_/dict/cka", {"float": "inf"}, "attribute fidelity_ of it must be a dict of the figures"),
        ("fidelity_/dict/cka", "1", "attribute fidelity_ of it must be a dict of the figures"),
        ("teacher_", None, "attribute teacher_ of it must be a fitted embedder"),
        ("teacher_/estimator/attributes/pooling_", "x", "attribute pooling_ of teacher_ must be one of"),
        ("fit_mode_", "masked", "it has an unknown attribute 'fit_mode_' of HyenaEmbeddingTransformer"),
        ("control_/encoder/mixer", "hyena", "control_"),
    ],
}


@pytest.mark.parametrize(
    ("name", "attribute", "value", "message"),
    [(name, *case) for name, cases in CHANGED_OF.items() for case in cases],
    ids=str,
)
def test_attributes(name, attribute, value, message, forged):
    def drop(tensors):  # of an attribute that is no array any more
        for key in [key for key in tensors if key.split(".")[0] == attribute.split("/")[0] and "/" not in attribute]:
            del tensors[key]
        if attribute == "_windows":
            tensors.pop("_windows.1", None)

    folder = forged(name, set_at(f"estimator/attributes/{attribute}", value), drop)
    assert_refused(name, folder, f"estimator.json cannot be loaded: .*({message})")


@pytest.mark.parametrize("name", ["attention", "hyena"])
@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("mean_", torch.tensor([0.0, torch.nan], dtype=torch.float64)),
        ("mean_", torch.zeros(3, dtype=torch.float64)),
        ("scale_", torch.tensor([1.0, 0.0], dtype=torch.float64)),
        ("scale_", torch.tensor([1.0, -1.0], dtype=torch.float64)),
        ("scale_", torch.tensor([1.0, torch.inf], dtype=torch.float64)),
        ("_windows.1", torch.tensor([[0, 2]])),
        ("_windows.1", torch.tensor([[1, 1]])),
        ("_windows.1", torch.tensor([[-1, 1]])),
        ("_windows.1", torch.zeros(0, 2, dtype=torch.int64)),
        ("history_.train_loss", torch.zeros(1, 1, dtype=torch.float64)),
    ],
    ids=str,
)
def test_arrays_of_attributes(name, key, values, forged):
    folder = forged(name, change_weights=lambda tensors: tensors.update({key: values}))
    assert_refused(name, folder, f"attribute {key.split('.')[0]} of it must be")


@pytest.mark.parametrize("name", ["attention", "hyena"])
@pytest.mark.parametrize("n_jobs", [10**9, -(10**9), 0])
def test_number_of_jobs(name, n_jobs, forged):
    folder = forged(name, set_at("estimator/parameters/n_jobs", n_jobs))
    assert_refused(name, folder, r"'n_jobs' parameter .* must be an int in the range \[1, 8192\]")


def test_an_attribute_that_was_added_is_not_saved(tmp_path):
    embedder = MHAEmbedder(n_heads=2, max_epochs=1, batch_size=4, **SMALL).fit(panel())
    embedder.note_ = "mine"
    with pytest.raises(ValueError, match="it has an unknown attribute 'note_' of MHAEmbedder"):
        embedder.save(tmp_path / "saved")
