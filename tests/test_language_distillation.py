"""Distillation of language models: what a student learns, and the figures that compare it with its teacher."""

import copy
import functools

import numpy as np
import pytest
import torch

from sigfeat.nn import (
    DistillationWeights,
    Encoder,
    EncoderSpec,
    HyenaLM,
    LanguageModelConfig,
    copy_weights,
    distil_language_model,
    language_fidelity,
    layer_tokens,
    skill,
    text_loss,
    train_language_model,
)
from sigfeat.nn.fidelity import fidelity
from sigfeat.nn.language.distillation import LanguageDistillation, _check_pair
from sigfeat.nn.language.windows import Windows
from sigfeat.nn.mixers import MIXERS
from sigfeat.nn.training.distillation import Distillation

SMALL = {"context": 32, "d_model": 16, "n_layers": 2, "d_ff": 32, "n_heads": 2, "d_state": 8}
ROUND = b"round and round the ragged rock, "

every_mixer = pytest.mark.parametrize("mixer", MIXERS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def model_of(mixer="attention", seed=0, **changed):
    return HyenaLM(LanguageModelConfig(**(SMALL | {"mixer": mixer} | changed)), generator=seeded(seed))


def encoder_of(mixer="attention", seed=0, **changed):
    shape = {"d_model": 16, "d_ff": 32, "d_out": 16} | changed
    return Encoder(EncoderSpec(mixer, 3, **shape), generator=seeded(seed))


@functools.cache
def trained_weights():
    model = model_of()
    train_language_model(model, ROUND * 30, max_epochs=4, batch_size=8, lr=1e-2)
    return model.state_dict()


def teacher_of():
    """A teacher that knows a line that repeats."""
    model = model_of()
    model.load_state_dict(trained_weights())
    return model


def objective_of(student, teacher, text=ROUND * 4, **weights):
    tokens = torch.tensor(list(text))
    windows = Windows(tokens, 32, np.arange(4), np.arange(4), 1, 3)
    return LanguageDistillation(student, teacher, windows, DistillationWeights(**weights)).train()


def loss_of(objective):
    return objective(torch.arange(4), torch.full((4,), 32)).item()


# ----------------------------------------------------------------------------------------------------- losses


@every_mixer
def test_a_student_that_equals_its_teacher(mixer):
    teacher = model_of(mixer)
    student = copy.deepcopy(teacher)
    objective = objective_of(student, teacher)
    assert loss_of(objective) == pytest.approx(0, abs=1e-8)
    assert loss_of(objective.eval()) == pytest.approx(0, abs=1e-8)
    figures = language_fidelity(student, teacher, ROUND * 8)
    expected = {"pooled_r2": 1, "token_r2": 1, "cka": 1, "cosine": 1, "kl": 0, "agreement": 1}
    bits = text_loss(teacher, ROUND * 8) / np.log(2)
    assert figures == pytest.approx(expected | {"bits": bits, "teacher_bits": bits}, abs=1e-6)


def test_terms():
    """The loss is the weighted sum of its terms, and each of them is what its definition says."""
    student, teacher = model_of("hyena"), teacher_of()
    names = ("tokens", "pooled", "logits")
    none = dict.fromkeys((*names, "forced"), 0)
    alone = {name: loss_of(objective_of(student, teacher, **(none | {name: 1}))) for name in names}
    weights = {"tokens": 0.5, "pooled": 2, "logits": 7, "forced": 0}
    whole = sum(weights[name] * alone[name] for name in names)
    assert loss_of(objective_of(student, teacher, **weights)) == pytest.approx(whole, rel=1e-5)
    tokens = torch.tensor(list(ROUND * 4)).unfold(0, 32, 1)[:4]
    with torch.no_grad():
        goal, found = (layer_tokens(model, tokens)[-1] for model in (teacher, student))
        goal, found = teacher.norm(goal), student.norm(found)
        logits, wanted = student(tokens), teacher(tokens)
    log_p, log_q = wanted.double().log_softmax(-1), logits.double().log_softmax(-1)
    assert alone["logits"] == pytest.approx(float((log_p.exp() * (log_p - log_q)).sum(-1).mean()), rel=1e-5)
    variance = (goal - goal.mean((0, 1))).square().mean()
    assert alone["tokens"] == pytest.approx(float((found - goal).square().mean() / variance), rel=1e-3)
    goal, found = goal.mean(1), found.mean(1)
    variance = (goal - goal.mean(0)).square().mean()
    assert alone["pooled"] == pytest.approx(float((found - goal).square().mean() / variance), rel=1e-3)
    forced = objective_of(student, teacher, **(weights | {"forced": 0.5}))
    tokens_of_teacher = layer_tokens(teacher, tokens)[:-1]
    with torch.no_grad():
        distances = [
            _relative(*(block.mix(x, None) for block in blocks))
            for x, *blocks in zip(tokens_of_teacher, teacher.blocks, student.blocks, strict=True)
        ]
    assert loss_of(forced) == pytest.approx(np.mean(distances), rel=1e-3)
    forced.progress = 0.5
    assert loss_of(forced) == pytest.approx(whole, rel=1e-5)
    objective = objective_of(student, teacher, **weights).eval()
    assert loss_of(objective) == pytest.approx(alone["logits"], rel=1e-5)


def _relative(goal, found):
    return float((found - goal).square().mean() / (goal - goal.mean((0, 1))).square().mean())


def test_networks_of_other_sizes():
    """The terms that do not apply are omitted."""
    teacher = teacher_of()
    deeper = objective_of(model_of("hyena", n_layers=3), teacher)
    assert loss_of(deeper) == pytest.approx(loss_of(objective_of(deeper.trained, teacher, forced=0)))
    wider = objective_of(model_of("hyena", d_model=24), teacher)
    alone = objective_of(wider.trained, teacher, tokens=0, pooled=0, forced=0)
    assert loss_of(wider) == pytest.approx(loss_of(alone))


@pytest.mark.parametrize("name", ["tokens", "pooled", "logits", "forced"])
@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_wrong_weights(name, weight):
    with pytest.raises(ValueError, match=f"{name} must be a finite number from 0 up, got {weight}"):
        DistillationWeights(**{name: weight})


def test_the_first_part_is_at_most_all():
    with pytest.raises(ValueError, match="forced must be at most 1, got 1.5"):
        DistillationWeights(forced=1.5)


def test_weights_of_the_terms_of_encoders():
    student, teacher = encoder_of("hyena"), encoder_of()
    series, lengths = torch.randn(4, 20, 3, generator=seeded(1)), torch.tensor([20, 20, 15, 10])

    def loss(**weights):
        objective = Distillation(student, teacher, "mean", seeded(), DistillationWeights(**weights)).train()
        return objective(series, lengths).item()

    alone = [loss(**(dict.fromkeys(("tokens", "pooled", "forced"), 0) | {name: 1})) for name in ("tokens", "pooled")]
    assert loss(forced=0, pooled=1, logits=9) == pytest.approx(sum(alone), rel=1e-5)


# ---------------------------------------------------------------------------------------------------- weights


@every_mixer
@pytest.mark.parametrize("make", [model_of, encoder_of])
def test_weights_are_copied(make, mixer):
    student, teacher = make(mixer, seed=1), make(seed=2)
    before = {name: weight.clone() for name, weight in student.state_dict().items()}
    assert copy_weights(student, teacher)
    after, goal = student.state_dict(), teacher.state_dict()
    for name, weight in after.items():
        assert torch.equal(weight, before[name] if ".mixer." in name else goal[name]), name


@pytest.mark.parametrize("changed", [{"d_model": 24}, {"n_layers": 1}, {"d_ff": 16}], ids=str)
@pytest.mark.parametrize("make", [model_of, encoder_of])
def test_weights_of_other_sizes_are_not_copied(make, changed):
    student = make("hyena", **changed)
    before = {name: weight.clone() for name, weight in student.state_dict().items()}
    assert not copy_weights(student, make(seed=1))
    assert all(torch.equal(weight, before[name]) for name, weight in student.state_dict().items())


# --------------------------------------------------------------------------------------------------- training


@every_mixer
def test_students_learn(mixer):
    """A student of any mixer learns, the teacher stays as it is, and the same seed gives the same weights."""
    teacher = teacher_of().train()
    students = [model_of(mixer, seed=1) for _ in range(2)]
    first = language_fidelity(students[0], teacher, ROUND * 8)
    before = torch.get_rng_state()
    for student in students:
        assert copy_weights(student, teacher)
        history = distil_language_model(student, teacher, ROUND * 30, max_epochs=3, batch_size=8, lr=1e-2)
    assert torch.equal(torch.get_rng_state(), before)
    assert teacher.training
    assert len(history["loss"]) == len(history["gradient_norm"]) == 60
    assert len(history["train_loss"]) == len(history["valid_loss"]) == 3
    for name, weight in teacher.state_dict().items():
        assert torch.equal(weight, trained_weights()[name]), name
    for name, weight in students[0].state_dict().items():
        assert torch.equal(weight, students[1].state_dict()[name]), name
    assert all(weight.requires_grad for model in (*students, teacher) for weight in model.parameters())
    last = language_fidelity(students[0], teacher, ROUND * 8)
    assert last["kl"] < first["kl"] / (2 if mixer == "pointwise" else 5)
    assert last["agreement"] > 0.5 > first["agreement"]
    assert last["bits"] < 3.5 < first["bits"]
    assert last["teacher_bits"] == first["teacher_bits"] == pytest.approx(text_loss(teacher, ROUND * 8) / np.log(2))
    if mixer != "pointwise":
        assert skill(last["token_r2"], first["token_r2"]) > 0.5


def test_students_of_another_width():
    student, teacher = model_of("hyena", d_model=24, context=40), teacher_of()
    history = distil_language_model(student, teacher, ROUND * 30, max_epochs=3, batch_size=8, lr=1e-2)
    assert history["valid_loss"][-1] < history["valid_loss"][0]
    figures = language_fidelity(student, teacher, ROUND * 8)
    assert figures["agreement"] > 0.5
    assert np.isnan([figures[name] for name in ("pooled_r2", "token_r2", "cka", "cosine")]).all()


def test_a_sequence_is_a_window(short_epochs):
    """A text of one window, and the same as a sequence, give the same."""
    teacher, text = teacher_of(), np.frombuffer((ROUND * 2)[:32], np.uint8)
    found = []
    for tokens in (text, text[None]):
        student = model_of("hyena")
        distil_language_model(student, teacher, tokens, max_epochs=1, batch_size=2, validation_fraction=0)
        found.append(torch.cat([weight.flatten() for weight in student.state_dict().values()]))
    assert torch.equal(*found)
    figures = language_fidelity(student, teacher, np.append(text, 7))
    alone = language_fidelity(student, teacher, text[None])
    assert set(figures) - set(alone) == {"bits", "teacher_bits"}
    assert alone == pytest.approx({name: figures[name] for name in alone}, nan_ok=True)


def test_sequences_are_not_cut(short_epochs, monkeypatch):
    seen = []
    tokens_of_windows = Windows.forward
    monkeypatch.setattr(Windows, "forward", lambda *given: seen.append(tokens_of_windows(*given)) or seen[-1])
    sequences = np.arange(200, dtype=np.uint8).reshape(20, 10)
    teacher, student = teacher_of(), model_of("hyena")
    history = distil_language_model(student, teacher, sequences, max_epochs=3, batch_size=4, validation_fraction=0.25)
    assert len(history["valid_loss"]) == 3
    assert [len(rows) for rows in seen] == [4, 4, 4, 1] * 3
    for epoch in range(3):
        first, second, *validation = seen[4 * epoch : 4 * epoch + 4]
        assert torch.cat(validation).tolist() == sequences[15:].tolist()
        assert {tuple(row) for row in torch.cat([first, second]).tolist()} <= {tuple(row) for row in sequences[:15]}


def test_precision_and_length_of_sequences():
    """Teacher and student may differ in their precision; sequences may have any length up to the context."""
    student, teacher = model_of("hyena").double(), teacher_of()
    tokens = torch.randint(0, 256, (12, 7), generator=seeded())
    distil_language_model(student, teacher, tokens, seconds=0.1, batch_size=2)
    assert {weight.dtype for weight in student.parameters()} == {torch.float64}
    assert {weight.dtype for weight in teacher.parameters()} == {torch.float32}
    assert 0 < language_fidelity(student, teacher, tokens)["kl"] < 20


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"student": model_of(n_tokens=9)}, "student must have as many tokens as the teacher, n_tokens=256, got 9"),
        ({"max_epochs": None}, "max_epochs or seconds must be given, got neither"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"tokens": b"short"}, "tokens must have at least 32 to train on, got 5"),
        ({"tokens": b"a" * 50}, "tokens must have at least 32 in the validation set, got 5"),
        ({"tokens": [[1, 2], [3, 4]]}, "tokens must have at least 1 sequence in the validation set, got 0"),
        (
            {"tokens": np.zeros((0, 4), int)},
            r"tokens must be at least 1 sequence of at least 1 token, got shape \(0, 4",
        ),
        ({"tokens": np.zeros((4, 33), int)}, "tokens must be at most the context of 32, got 33"),
        ({"tokens": [[300]] * 20}, "tokens must be from 0 to 255, got 300"),
        ({"tokens": [[0.5]]}, "tokens must be bytes, str, or integers, got float64"),
        (
            {"student": model_of(d_model=8), "weights": DistillationWeights(logits=0)},
            "weights must have a term that applies to student and teacher, got none",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_distillation(changed, message):
    given = {"student": model_of("hyena"), "teacher": model_of(), "tokens": ROUND * 30, "max_epochs": 1} | changed
    with pytest.raises(ValueError, match=message):
        distil_language_model(given.pop("student"), given.pop("teacher"), given.pop("tokens"), **given)


def test_wrong_networks():
    with pytest.raises(ValueError, match="student must be a language model, HyenaLM, got Encoder"):
        _check_pair(encoder_of(), model_of())
    with pytest.raises(ValueError, match="teacher must be a language model, HyenaLM, got Encoder"):
        _check_pair(model_of(), encoder_of())


# ----------------------------------------------------------------------------------------------------- figures


def test_figures():
    """Figures of batches are those of all windows together."""
    student, teacher = model_of("hyena"), teacher_of()
    sequences = torch.randint(0, 256, (10, 20), generator=seeded(1))
    whole = language_fidelity(student, teacher, sequences)
    assert language_fidelity(student, teacher, sequences, batch_size=3) == pytest.approx(whole, rel=1e-5)
    with torch.no_grad():
        goal, found = (model.norm(layer_tokens(model, sequences)[-1]) for model in (teacher, student))
        wanted, logits = teacher(sequences).double(), student(sequences).double()
    expected = fidelity([(goal, found, torch.full((10,), 20))], "mean")
    p, q = wanted.softmax(-1), logits.softmax(-1)
    expected["kl"] = float((p * (p / q).log2()).sum(-1).mean())
    expected["agreement"] = float((p.argmax(-1) == q.argmax(-1)).double().mean())
    assert whole == pytest.approx(expected, rel=1e-4)
    for model in (student, teacher):
        assert model.training
    text = language_fidelity(student, teacher, ROUND * 8)
    assert text["bits"] == pytest.approx(text_loss(student, ROUND * 8) / np.log(2))


@pytest.mark.parametrize("tokens", [b"", b"a", np.zeros((0, 3), int), np.zeros((3, 0), int)], ids=repr)
def test_too_few_tokens(tokens):
    with pytest.raises(ValueError, match="tokens must be at least"):
        language_fidelity(model_of(), model_of(), tokens)


@every_mixer
def test_layers(mixer):
    """The last layer leads to the output, padding does not matter, and the mode of the network stays."""
    model, encoder = model_of(mixer, dropout=0.5), encoder_of(mixer, dropout=0.5)
    tokens, series = torch.randint(0, 256, (2, 20), generator=seeded(1)), torch.randn(2, 20, 3, generator=seeded(1))
    lengths = torch.tensor([20, 12])
    mask = torch.arange(20) < lengths[:, None]
    padded = series.masked_fill(~mask[..., None], torch.nan)
    for network, inputs, given in ((model, tokens, None), (encoder, series, None), (encoder, padded, mask)):
        layers = layer_tokens(network, inputs, given)
        assert network.training
        assert [layer.shape for layer in layers] == [(2, 20, 16)] * 3
        assert not any(layer.requires_grad for layer in layers)
        with torch.no_grad():
            last, out = network.eval().finish(layers[-1]), network(inputs) if given is None else network(inputs, given)
        network.train()
        kept = mask if given is not None else torch.ones_like(mask)
        torch.testing.assert_close(last[kept], out[kept])
    torch.testing.assert_close(layers[0][1, :12], layer_tokens(encoder, series[1:, :12])[0][0])
