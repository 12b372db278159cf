"""The cache of spectra: it sees every change of the weights, is small, and is not copied."""

import copy
import pickle

import pytest
import torch

from sigfeat.nn.mixers.spectra import SpectrumCache
from tests.test_s4 import both_directions, check_close, every_kind, mixer_of, spread_weights, tokens_for


def changed_in_place(mixer):
    with torch.no_grad():
        mixer.log_dt += 0.1


def loaded(mixer):
    mixer.load_state_dict(spread_weights(copy.deepcopy(mixer)).state_dict())


def assigned(mixer):
    mixer.load_state_dict(spread_weights(copy.deepcopy(mixer)).state_dict(), assign=True)


def given_other_data(mixer):
    mixer.output.data = 2 * mixer.output.data


def trained(mixer, fused=False):
    optimiser = torch.optim.AdamW(mixer.parameters(), lr=0.1, fused=fused)
    mixer.train()
    mixer(tokens_for(mixer, 2, 9)).square().sum().backward()
    optimiser.step()
    mixer.eval()


def trained_with_fused_steps(mixer):
    trained(mixer, fused=True)


@every_kind
@both_directions
@pytest.mark.parametrize(
    "change", [changed_in_place, loaded, assigned, given_other_data, trained, trained_with_fused_steps]
)
def test_kept_spectra_see_new_weights(kind, causal, change):
    mixer = mixer_of(kind, causal=causal).eval()
    x = tokens_for(mixer, 2, 9)
    with torch.no_grad():
        before = mixer(x)
        assert len(mixer.spectra) == 1
        assert torch.equal(mixer(x), before)
    change(mixer)
    with torch.no_grad():
        after = mixer(x)
    assert not torch.allclose(after, before, rtol=1e-3)
    assert torch.equal(after, mixer.train()(x).detach())


def test_kept_spectra_follow_a_change_of_precision():
    mixer = mixer_of("diagonal").eval()
    x = tokens_for(mixer, 2, 9)
    with torch.no_grad():
        wide = mixer(x)
        narrow = mixer.float()(x.float())
    assert narrow.dtype == torch.float32
    check_close(narrow, wide, 1e-5)


def test_few_spectra_are_kept():
    mixer = mixer_of("diagonal").eval()
    x = tokens_for(mixer, 1, 20)
    with torch.no_grad():
        for length in range(1, 21):
            mixer(x[:, :length])
        assert len(mixer.spectra) == SpectrumCache.N_KEPT
        calls = []
        mixer.taps = lambda length: calls.append(length) or type(mixer).taps(mixer, length)
        for length in (17, 20, 16, 17, 18):
            mixer(x[:, :length])
    assert calls == [16, 18]
    mixer(x)
    assert len(mixer.spectra) == 0  # gradients are on


@every_kind
def test_copies_leave_spectra_behind(kind):
    mixer = mixer_of(kind).eval()
    x = tokens_for(mixer, 2, 9)
    with torch.no_grad():
        mixed = mixer(x)
        for twin in (copy.deepcopy(mixer), pickle.loads(pickle.dumps(mixer)), copy.copy(mixer.spectra)):
            assert len(getattr(twin, "spectra", twin)) == 0
        assert torch.equal(copy.deepcopy(mixer)(x), mixed)
    assert len(mixer.spectra) == 1
    assert not any("spectra" in name for name in mixer.state_dict())


def test_spectra_are_not_kept_of_weights_that_count_no_changes():
    with torch.inference_mode():
        mixer = mixer_of("diagonal").eval()
        x = tokens_for(mixer, 2, 9)
        before = mixer(x)
        mixer.skip += 1
        assert not torch.allclose(mixer(x), before)
