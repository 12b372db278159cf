"""Language models: what they accept, give, learn, and keep."""

import math

import numpy as np
import pytest
import torch

from sigfeat.nn import PRESETS, HyenaLM, LanguageModelConfig, text_loss, train_language_model
from sigfeat.nn.language.model import param_count
from sigfeat.nn.language.sampling import next_tokens
from sigfeat.nn.mixers.positions import POSITIONS
from sigfeat.reference.language_model import language_model as reference

SMALL = {"context": 32, "d_model": 16, "n_layers": 1, "d_ff": 32, "n_heads": 2, "d_state": 8}
CASES = [
    {},
    {"filter": "modal"},
    *[{"mixer": "attention", "positions": positions, "short_filter": 3} for positions in POSITIONS],
    {"mixer": "attention", "positions": "rotary", "short_filter": 1},
    {"positions": "sinusoidal", "expansion": 0.5},
    {"mixer": "s4"},
    {"mixer": "s4", "kind": "dplr"},
    {"mixer": "recurrent"},
]
ROUND = b"round and round the ragged rock, "

every_mixer = pytest.mark.parametrize("changed", CASES, ids=str)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model_of(**changed):
    return HyenaLM(LanguageModelConfig(**(SMALL | changed)), generator=seeded())


# ---------------------------------------------------------------------------------------------------- logits


@every_mixer
def test_first_loss_is_chance(changed):
    model = model_of(**changed, n_layers=2)
    tokens = torch.randint(0, 256, (8, 32), generator=seeded(1))
    logits = model(tokens)
    assert logits.shape == (8, 32, 256)
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.1)
    torch.testing.assert_close(model(tokens, n_last=3), logits[:, -3:])


@every_mixer
def test_later_tokens_do_not_matter(changed):
    model = model_of(**changed).double()
    tokens = torch.randint(0, 256, (1, 32), generator=seeded(1))
    other = tokens.clone()
    other[:, 20:] = 7
    torch.testing.assert_close(model(other)[:, :20], model(tokens)[:, :20], rtol=0, atol=1e-10)


@every_mixer
def test_torch_is_reference(changed):
    model = model_of(**changed, n_layers=2).double().eval()
    with torch.no_grad():
        for weight in model.parameters():  # change them all, since zeros and ones hide mistakes
            weight += 0.05 * torch.randn(weight.shape, generator=seeded(2), dtype=weight.dtype)
        tokens = torch.randint(0, 256, (1, 32), generator=seeded(1))
        found = model(tokens)[0].numpy()
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    expected = reference(tokens[0].numpy(), weights, model.config.encoder)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("name", PRESETS)
def test_number_of_parameters(name):
    before = torch.get_rng_state()
    n = param_count(PRESETS[name])
    if name == "tiny":
        assert HyenaLM(PRESETS[name], generator=seeded()).param_count == n
    assert n > 50_000
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(1, 3), "tokens must be integers, got torch.float32"),
        (torch.tensor([[1, -1]]), "tokens must be from 0 to 255, got -1"),
        (torch.tensor([[1, 256]]), "tokens must be from 0 to 255, got 256"),
        (torch.tensor([1, 2]), r"tokens must be of shape \(batch, length\), got \(2,\)"),
        (torch.zeros(1, 33, dtype=torch.long), "tokens must be at most the context of 32, got 33"),
    ],
    ids=str,
)
def test_wrong_tokens(tokens, message):
    with pytest.raises(ValueError, match=message):
        model_of()(tokens)


def test_wrong_configs():
    with pytest.raises(ValueError, match="context must be at least 1, got 0"):
        LanguageModelConfig(context=0)
    with pytest.raises(ValueError, match="mixer must be one of"):
        model_of(mixer="none")


# ------------------------------------------------------------------------------------------------ generation


@pytest.mark.parametrize(
    "prompt",
    [
        b"abc",
        "abc",
        "h\u00e9",
        np.array([1, 2, 3]),
        np.array([[1, 2], [3, 4]], np.uint8),
        torch.tensor([1, 2, 3], dtype=torch.int32),
        torch.tensor([[1, 2], [3, 4]]),
    ],
    ids=str,
)
def test_what_comes_back_is_as_the_prompt(prompt):
    found = model_of().generate(prompt, 5, seed=1)
    assert type(found) is type(prompt)
    if isinstance(prompt, str | bytes):
        assert found.startswith(prompt)
    else:
        assert found.dtype == prompt.dtype
        assert found.shape == (*prompt.shape[:-1], prompt.shape[-1] + 5)
        assert (found[..., : prompt.shape[-1]] == prompt).all()


def test_lists_and_narrow_integers():
    model = model_of()
    assert model.generate([1, 2], 1).shape == (3,)
    assert model.generate(np.array([1], np.int8), 1).dtype == np.int64
    assert model.generate(torch.tensor([1], dtype=torch.int8), 1).dtype == torch.int64
    assert model.generate(b"a", 0) == b"a"


def test_seeds():
    model = model_of().train()
    before = torch.get_rng_state()
    first, again, other = (model.generate(b"a", 31, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((b"", 3), "prompt must have at least 1 token, got none"),
        ((b"a" * 30, 3), "prompt and max_new_tokens must be at most the context of 32 tokens together, got 30 and 3"),
        ((b"a", -1), "max_new_tokens must be a whole number from 0 up, got -1"),
        ((b"a", 3, -1.0), "temperature must be a finite number from 0 up, got -1.0"),
        ((b"a", 3, math.nan), "temperature must be a finite number from 0 up, got nan"),
        ((b"a", 3, 1.0, 0), "top_k must be a whole number from 1 up, or None, got 0"),
        ((b"a", 3, 1.0, None, 0.0), r"top_p must be in \(0, 1\], or None, got 0.0"),
        ((b"a", 3, 1.0, None, 1.1), r"top_p must be in \(0, 1\], or None, got 1.1"),
        ((np.array([0.5]), 3), "prompt must be bytes, str, or integers, got float64"),
        ((torch.tensor([0.5]), 3), "prompt must be integers, got torch.float32"),
        (([256], 3), "prompt must be from 0 to 255, got 256"),
        (([-1], 3), "prompt must be from 0 to 255, got -1"),
        ((np.zeros((1, 1, 1), int), 3), "prompt must be of shape"),
    ],
    ids=str,
)
def test_wrong_generation(arguments, message):
    with pytest.raises(ValueError, match=message):
        model_of().generate(*arguments)


def test_bytes_need_few_tokens():
    with pytest.raises(ValueError, match="prompt must be an array of integers where n_tokens is over 256"):
        model_of(n_tokens=300).generate(b"a", 1)


def test_draws():
    """Frequencies of many draws, and which tokens are drawn at all."""
    probabilities = torch.tensor([0.1, 0.4, 0.3, 0.2])
    logits = probabilities.log().expand(20_000, 4)

    def found(temperature, top_k, top_p):
        drawn = next_tokens(logits, temperature, top_k, top_p, seeded())
        return torch.bincount(drawn, minlength=4) / len(drawn)

    torch.testing.assert_close(found(1.0, None, None), probabilities, rtol=0, atol=0.02)
    torch.testing.assert_close(found(0.5, None, None), probabilities**2 / (probabilities**2).sum(), rtol=0, atol=0.02)
    torch.testing.assert_close(found(1.0, 2, None), torch.tensor([0, 4 / 7, 3 / 7, 0]), rtol=0, atol=0.02)
    torch.testing.assert_close(found(1.0, None, 0.5), torch.tensor([0, 4 / 7, 3 / 7, 0]), rtol=0, atol=0.02)
    torch.testing.assert_close(found(1.0, 9, 1.0), probabilities, rtol=0, atol=0.02)
    for only in ((0, None, None), (1.0, 1, None), (1.0, None, 1e-9), (1e-300, None, None)):
        torch.testing.assert_close(found(*only), torch.tensor([0.0, 1.0, 0.0, 0.0]))


# -------------------------------------------------------------------------------------------------- training


@every_mixer
def test_training(changed):
    """A line that repeats is learnt, with any mixer; the same seed gives the same weights."""
    models = [model_of(**changed) for _ in range(2)]
    before = torch.get_rng_state()
    for model in models:
        history = train_language_model(model, ROUND * 30, max_epochs=3, batch_size=8, lr=1e-2)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(history["loss"]) == 60
    assert len(history["valid_loss"]) == 3
    assert history["loss"][0] == pytest.approx(math.log(256), abs=0.2)
    assert text_loss(models[0], ROUND * 3) < 2.5
    for name, weight in models[0].state_dict().items():
        assert torch.equal(weight, models[1].state_dict()[name]), name
        assert not weight.requires_grad
    assert all(weight.requires_grad for weight in models[0].parameters())


def test_training_for_a_time():
    history = train_language_model(model_of(), ROUND * 30, seconds=0.5, batch_size=2)
    assert len(history["loss"]) >= 20
    assert len(history["loss"]) % 20 == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, "max_epochs or seconds must be given, got neither"),
        ({"max_epochs": 0}, "max_epochs must be at least 1, got 0"),
        ({"seconds": 0.0}, "seconds must be more than 0, got 0.0"),
        ({"max_epochs": 1, "batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"max_epochs": 1, "validation_fraction": 1.0}, r"validation_fraction must be in \[0, 1\), got 1.0"),
        ({"max_epochs": 1, "tokens": b"short"}, "tokens must have at least 33 to train on, got 5"),
        ({"max_epochs": 1, "tokens": b"a" * 50}, "tokens must have at least 33 in the validation set, got 5"),
        ({"max_epochs": 1, "tokens": [[1], [2]]}, "tokens must be one text"),
        ({"max_epochs": 1, "tokens": [300] * 900}, "tokens must be from 0 to 255, got 300"),
    ],
    ids=str,
)
def test_wrong_training(changed, message):
    with pytest.raises(ValueError, match=message):
        train_language_model(model_of(), **({"tokens": ROUND * 30} | changed))


def test_loss_of_text():
    """Each token is predicted once, from those before it in its window."""
    model, text = model_of(), torch.randint(0, 256, (65,), generator=seeded(1))
    expected = [
        torch.nn.functional.cross_entropy(model(text[None, start : start + 32])[0], text[start + 1 : start + 33]).item()
        for start in (0, 32)
    ]
    assert text_loss(model, text) == pytest.approx(np.mean(expected), rel=1e-5)
    with pytest.raises(ValueError, match="tokens must be at least 2, got 1"):
        text_loss(model, b"a")


# ----------------------------------------------------------------------------------------------------- files


@every_mixer
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_files(changed, dtype, tmp_path):
    model = model_of(**changed).to(dtype)
    for _ in range(2):  # what was saved before is replaced
        model.save(tmp_path / "model")
    twin = HyenaLM.load(tmp_path / "model")
    assert twin.config == model.config
    assert not twin.training
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, twin.state_dict()[name]), name
    assert twin.generate(b"a", 20) == model.generate(b"a", 20)
    assert {file.name for file in tmp_path.iterdir()} == {"model"}


def test_wrong_files(tmp_path):
    model, folder = model_of(), tmp_path / "model"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        HyenaLM.load(folder)
    (tmp_path / "other").mkdir()
    with pytest.raises(FileExistsError, match=r"is there, and is not \(only\) a saved language model: choose another"):
        model.save(tmp_path / "other")
    model.save(folder)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*weights\.safetensors"):
        HyenaLM.load(folder)
