"""Fitted estimators written into folders and read again: all values return."""

import functools
import json
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback

import sigfeat.transformers.embeddings._persistence.reader as reader
import sigfeat.transformers.embeddings._persistence.writer as writer
from sigfeat import (
    HyenaEmbeddingTransformer,
    MHAEmbedder,
    RecurrentEmbeddingTransformer,
    S4EmbeddingTransformer,
)
from sigfeat.nn.encoder import Encoder
from sigfeat.transformers.embeddings._persistence import load_estimator, save_estimator
from tests.saved import SPECS, STUDENT, Fake, encoder, fitted, panel, returned


@pytest.fixture(autouse=True)
def _fake_is_public(monkeypatch):
    public = reader.public_class
    for module in (reader, writer):
        monkeypatch.setattr(module, "public_class", lambda name: Fake if name == "Fake" else public(name))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "saved"


@functools.singledispatch
def plain(value):
    """What of a value must return, bit for bit, so that == compares it."""
    return type(value), value


@plain.register(float)
def _(value):
    return repr(value)  # of nan and -0.0 too


@plain.register(list | tuple)
def _(values):
    return type(values), [plain(value) for value in values]


@plain.register(dict)
def _(values):
    return [(name, plain(value)) for name, value in values.items() if name != "callbacks"]


@plain.register(np.ndarray)
def _(array):
    content = array.tolist() if array.dtype == object else array.tobytes()
    return array.dtype.str, array.shape, content


@plain.register(np.generic)
def _(scalar):
    return type(scalar), plain(np.array(scalar))


@plain.register(BaseEstimator)
def _(estimator):
    return type(estimator), plain(vars(estimator))


@plain.register(Encoder)
def _(encoder):
    return encoder.spec, plain({name: weight.cpu().numpy() for name, weight in encoder.state_dict().items()})


# ---------------------------------------------------------------------------------------------------- values

ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.arange(24.0).reshape(2, 3, 4)[:, ::-1, ::2],
    np.arange(6, dtype=np.int64).reshape(2, 3).T,
    np.arange(3, dtype=">f8"),
    np.array([1, 2], dtype=">i2"),
    np.array([1, 2], dtype=np.uint8),
    np.array([0.5], dtype=np.float16),
    np.array([np.nan, np.inf, -0.0]),
    np.array([[True, False]])[:, ::-1],
    np.zeros((0, 3), dtype=np.float32),
    np.zeros((2, 0), dtype=complex),
    np.array(3.5),
    np.array(1 + 2j),
    np.array([[1 + 2j, np.nan, 3j]]).T,
    np.array([1 + 2j], dtype=">c8"),
    np.array([["channel é", ""], ["\U0001f600", "b"]]),
    np.array(["ab", "c"], dtype=">U7"),
    np.zeros((0, 2), dtype="U3"),
    np.array(["one", "zwei", "\ud800"], dtype=object),
    np.empty((0, 2), dtype=object),
    np.array("alone", dtype=object),
]
VALUES = [
    None,
    True,
    -(10**30),
    0.1 + 0.2,
    -0.0,
    float("nan"),
    float("inf"),
    -float("inf"),
    'text "quoted" \\ \n \ud800 é',
    (),
    (1, (2, [3.0, (None,)])),
    [],
    {},
    {"a.b": np.zeros(1), "a": {"b": np.ones(1)}, r"a\x2eb": np.full(1, 2.0), "": (np.zeros(2),), "0": 1},
    {"array": "<f8"},
    {"tuple": [1]},
    [np.zeros(2), {"0": np.ones(2)}],
    np.float32(0.1),
    np.float64("nan"),
    np.int64(-3),
    np.bool_(True),
    np.complex128(1 - 2j),
    np.str_("text"),
    np.str_(""),
    np.dtype("float32"),
    np.dtype(">i4"),
    np.dtype(object),
    torch.device("cuda", 3),
    SPECS[0],
    MHAEmbedder(d_model=8),
    FrozenEstimator(MHAEmbedder(d_model=8)),
]


@pytest.mark.parametrize("value", ARRAYS + VALUES, ids=range(len(ARRAYS + VALUES)))
def test_a_value_returns_as_it_was(value, folder):
    loaded = returned(fitted(extra=value), folder)
    assert plain(loaded.extra) == plain(value)
    assert plain(loaded.extra_) == plain(value)


def test_random_states_go_on_where_they_were(folder):
    state = np.random.RandomState(3)  # noqa: NPY002
    state.normal(size=5)  # an odd number, so that half of a pair is kept
    loaded = returned(fitted(random_state=state), folder)
    np.testing.assert_array_equal(loaded.random_state.normal(size=700), state.normal(size=700))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.mixer} {spec.kind} {spec.causal}")
def test_an_encoder_returns_and_gives_the_same_tokens(spec, dtype, folder):
    estimator, series = fitted(), torch.randn(3, 9, 2, dtype=dtype, generator=torch.Generator().manual_seed(0))
    estimator.encoder_ = encoder(spec, dtype)
    drawn = torch.get_rng_state()
    loaded = returned(estimator, folder).encoder_
    assert torch.equal(torch.get_rng_state(), drawn)
    assert plain(loaded) == plain(estimator.encoder_)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(series), estimator.encoder_(series))


def test_json_is_strict_and_says_what_it_is(folder):
    save_estimator(fitted(extra=[float("nan"), "é"]), folder)
    assert {file.name for file in folder.iterdir()} == {"estimator.json", "weights.safetensors"}
    text = (folder / "estimator.json").read_bytes().decode("ascii")
    document = json.loads(text, parse_constant=pytest.fail)
    assert document["format"] == "sigfeat estimator"
    assert document["version"] == 3
    assert document["estimator"]["class"] == "Fake"
    assert "encoder_.blocks.1.mixer.in_projection.weight" in load((folder / "weights.safetensors").read_bytes())


def test_the_same_estimator_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        save_estimator(fitted(extra={"x": np.arange(3)}), tmp_path / name)
    for file in ("estimator.json", "weights.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


# ------------------------------------------------------------------------------------------------ estimators


def test_a_frozen_teacher_is_one_object_again(folder):
    estimator = fitted(teacher=FrozenEstimator(fitted(mixer="attention", teacher=fitted())))
    loaded = returned(estimator, folder)
    assert loaded.teacher_ is loaded.teacher.estimator
    assert plain(loaded.teacher_) == plain(estimator.teacher_)
    assert "teacher_.encoder_.norm.weight" not in load((folder / "weights.safetensors").read_bytes())


def test_callbacks_are_left_out(folder):
    estimator = fitted(teacher=fitted(callbacks=[Callback()]), callbacks=[Callback()])
    estimator._skl_callbacks = [Callback()]
    loaded = returned(estimator, folder)
    assert loaded.callbacks is None
    assert loaded.teacher.callbacks is None
    assert not hasattr(loaded, "_skl_callbacks")
    assert len(estimator.callbacks) == 1


def test_a_device_replaces_all_devices(folder):
    estimator = fitted(device="cuda:7", teacher=fitted(device="cuda:7"))
    loaded = returned(estimator, folder)
    assert loaded.device == loaded.teacher.device == "cuda:7"
    assert loaded.encoder_.norm.weight.device.type == "cpu"
    loaded = load_estimator(Fake, folder, torch.device("cpu"))
    assert loaded.device == loaded.teacher.device == loaded.teacher_.device == torch.device("cpu")
    with pytest.raises(ValueError, match="device must be one that torch can use, got 'nowhere'"):
        load_estimator(Fake, folder, "nowhere")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_device_takes_the_encoders(folder):
    loaded = returned(fitted(teacher=fitted()), folder, "cuda")
    assert loaded.encoder_.norm.weight.is_cuda
    assert loaded.teacher_.encoder_.norm.weight.is_cuda
    assert plain(returned(loaded, folder, "cpu").encoder_) == plain(fitted().encoder_)


def test_what_is_loaded_can_be_copied_pickled_saved_and_fitted(folder, tmp_path):
    X, estimator = panel(), fitted(mixer="recurrent", teacher=fitted())
    loaded = returned(estimator, folder)
    assert plain(pickle.loads(pickle.dumps(loaded))) == plain(loaded)
    assert plain(returned(loaded, tmp_path / "again")) == plain(loaded)
    assert (tmp_path / "again" / "estimator.json").read_bytes() == (folder / "estimator.json").read_bytes()
    np.testing.assert_array_equal(clone(loaded).fit(X).transform(X), estimator.transform(X))


EMBEDDERS = [
    MHAEmbedder(d_model=8, n_heads=2, n_layers=1, max_epochs=1, windows=("dyadic", 1)),
    HyenaEmbeddingTransformer(MHAEmbedder(d_model=8, n_heads=2, n_layers=1, fit_mode="random"), **STUDENT),
    S4EmbeddingTransformer(MHAEmbedder(d_model=8, n_heads=2, max_epochs=1), d_state=4, kind="dplr", **STUDENT),
    RecurrentEmbeddingTransformer(
        FrozenEstimator(MHAEmbedder(d_model=8, fit_mode="random").fit(panel())), dtype=None, control=True, **STUDENT
    ),
]


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda embedder: type(embedder).__name__)
def test_an_embedder_returns_as_it_was(embedder, folder):
    X = panel()
    embedder = clone(embedder).set_output(transform="pandas").fit(X)
    features = embedder.transform(X)
    embedder.save(folder)
    loaded = type(embedder).load(folder)
    assert str(loaded) == str(embedder)
    assert plain(loaded) == plain(embedder)
    assert loaded.transform(X).equals(features)
    assert pickle.loads(pickle.dumps(loaded)).transform(X).equals(features)
    assert clone(loaded).fit(X).transform(X).equals(features)
    assert loaded.fit(X).transform(X).equals(features)


# ---------------------------------------------------------------------------------------------------- folders


def test_a_saved_estimator_is_replaced_as_a_whole(tmp_path, folder):
    save_estimator(fitted(extra=np.zeros(3)), folder)
    assert returned(fitted(extra="new"), folder).extra == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]
    link = tmp_path / "link"
    link.symlink_to(folder)
    save_estimator(fitted(extra="newest"), str(link))
    assert link.is_symlink()
    assert load_estimator(Fake, str(folder)).extra == "newest"


def test_folders_above_are_made(tmp_path):
    assert returned(fitted(extra=1), tmp_path / "a" / "b").extra == 1


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"notes.txt": "mine"},
        {"estimator.json": "mine"},
        {"estimator.json": "{}"},
        {"estimator.json": '["sigfeat estimator"]'},
        {"estimator.json": '{"format": "sigfeat estimator"}', "notes.txt": "mine"},
        {"weights.safetensors": "mine"},
    ],
    ids=str,
)
def test_anything_else_is_left_alone(files, folder, tmp_path):
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(FileExistsError, match=r"saved is there, and is not \(only\) a saved estimator"):
        save_estimator(fitted(), folder)
    assert {file.name: file.read_text() for file in folder.iterdir()} == files
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]


def test_a_file_is_left_alone(folder):
    folder.write_text("mine")
    with pytest.raises(FileExistsError, match="saved is there"):
        save_estimator(fitted(), folder)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*saved/estimator.json"):
        load_estimator(Fake, folder)
    assert folder.read_text() == "mine"


@pytest.mark.parametrize("step", range(8))
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_save_leaves_the_old_one(step, error, folder, tmp_path, monkeypatch):
    """Each call that changes the disk fails in turn."""
    save_estimator(fitted(extra="old"), folder)
    calls = []

    def failing(call):
        def called(*args, **kwargs):
            calls.append(call)
            if len(calls) == step + 1:
                raise error("interrupted")
            return call(*args, **kwargs)

        return called

    with monkeypatch.context() as patch:
        for name in ("mkdir", "fsync", "rename"):
            patch.setattr(os, name, failing(getattr(os, name)))
        if step == 7:  # after the last call that changes anything
            save_estimator(fitted(extra="new"), folder)
        else:
            with pytest.raises(error, match="interrupted"):
                save_estimator(fitted(extra="new"), folder)
    assert load_estimator(Fake, folder).extra == ("new" if step == 7 else "old")
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]


# ------------------------------------------------------------------------------------------------ real embedders


@pytest.mark.parametrize("name", ["encoder_", "mean_", "_windows"])
def test_an_embedder_must_be_whole(name, tmp_path):
    embedder = MHAEmbedder(d_model=8, max_epochs=1).fit(panel())
    delattr(embedder, name)
    with pytest.raises(ValueError, match=f"it has no attribute '{name}' of MHAEmbedder"):
        embedder.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_a_teacher_whose_fit_failed_is_saved_unfitted(tmp_path):
    teacher = MHAEmbedder(d_model=8, max_epochs=1).fit(panel())
    del teacher._n_features_out  # as at the beginning of the next fit
    student = HyenaEmbeddingTransformer(FrozenEstimator(MHAEmbedder(d_model=8, max_epochs=1).fit(panel())), **STUDENT)
    student.fit(panel()).set_params(teacher=teacher)
    student.save(tmp_path / "saved")
    assert not hasattr(HyenaEmbeddingTransformer.load(tmp_path / "saved").teacher, "encoder_")
