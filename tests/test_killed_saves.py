"""Saves that are killed, fail or run at the same time leave a whole folder, and the next save leaves nothing else."""

import json
import os
import subprocess
import sys
import textwrap
import threading

import pytest
import torch

from sigfeat import MHAEmbedder
from sigfeat.nn import HyenaLM, LanguageModelConfig
from tests.saved import panel

KINDS = ("embedder", "language model")
every_kind = pytest.mark.parametrize("kind", KINDS)
PROGRAM = """
    import json, os, sys
    from pathlib import Path
    import numpy as np
    import torch
    from sigfeat import MHAEmbedder
    from sigfeat.nn import HyenaLM, LanguageModelConfig

    kind, folder = sys.argv[1], Path(sys.argv[2])

    def saved(seed):
        if kind == "embedder":
            X = np.random.default_rng(0).normal(size=(4, 2, 9))
            return MHAEmbedder(4, n_heads=2, n_layers=1, d_ff=5, fit_mode="random", random_state=seed).fit(X)
        config = LanguageModelConfig(n_tokens=7, context=9, d_model=4, n_layers=1, d_ff=5, filter_width=3)
        return HyenaLM(config, generator=torch.Generator().manual_seed(seed))

    def first_weight():
        loaded = MHAEmbedder.load(folder).encoder_ if kind == "embedder" else HyenaLM.load(folder)
        return float(loaded.embedding.weight[0, 0].detach())

    def killed_at(step):
        calls = []

        def counted(call):
            def called(*args, **kwargs):
                calls.append(call)
                if len(calls) == step:
                    os._exit(9)
                return call(*args, **kwargs)
            return called

        for name in ("open", "mkdir", "fsync", "rename", "unlink", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))

    old, new, values = saved(0), saved(1), {}
    for name, model in (("old", old), ("new", new)):
        model.save(folder)
        values[first_weight()] = name
    found, left = [], []
    for next_call in ("load", "save"):
        for step in range(1, 100):
            old.save(folder)
            child = os.fork()
            if child == 0:
                killed_at(step)
                new.save(folder)
                os._exit(0)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if next_call == "load":
                found.append(values[first_weight()])
                old.save(folder)
            else:
                new.save(folder)
                assert values[first_weight()] == "new"
            left.append(sorted(path.name for path in folder.parent.iterdir()))
            if code == 0:
                break
            assert code == 9
    print(json.dumps({"found": found, "left": left, "last": code}))
"""


def model_of(kind, seed=0):
    if kind == "embedder":
        return MHAEmbedder(4, n_heads=2, n_layers=1, d_ff=5, fit_mode="random", random_state=seed).fit(panel())
    config = LanguageModelConfig(n_tokens=7, context=9, d_model=4, n_layers=1, d_ff=5, filter_width=3)
    return HyenaLM(config, generator=torch.Generator().manual_seed(seed))


def first_weight(model):
    return float(getattr(model, "encoder_", model).embedding.weight[0, 0].detach())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def noted(call, name, calls):
    def called(*args, **kwargs):
        calls.append(name)
        return call(*args, **kwargs)

    return called


@every_kind
def test_a_save_that_is_killed_at_any_call_leaves_the_old_or_the_new(kind, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROGRAM), kind, str(tmp_path / "saved")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr
    result = json.loads(result.stdout)
    assert result["last"] == 0
    n_old = result["found"].count("old")
    assert result["found"] == ["old"] * n_old + ["new"] * (len(result["found"]) - n_old)
    assert 8 <= n_old < len(result["found"]) - 3
    assert all(left == ["saved"] for left in result["left"])


@every_kind
@pytest.mark.parametrize("at", ["load", "save"])
def test_an_old_folder_without_a_new_one_is_restored(kind, at, tmp_path):
    model, folder = model_of(kind), tmp_path / "saved"
    model.save(folder)
    folder.rename(tmp_path / ".saved.0123abcd.old")
    (tmp_path / ".saved.0123abcd.new").mkdir()
    (tmp_path / ".saved.0123abcd.new" / "weights.safetensors").write_bytes(b"half")
    if at == "save":
        model_of(kind, 1).save(folder)
    assert first_weight(type(model).load(folder)) == first_weight(model_of(kind, int(at == "save")))
    assert names(tmp_path) == ["saved"]


@every_kind
def test_what_a_killed_save_left_is_removed_and_nothing_else(kind, tmp_path):
    model, folder = model_of(kind), tmp_path / "saved"
    model.save(folder)
    for name in (".saved.0123abcd.old", ".saved.4567.new", ".saved.x.new", ".other.0123.old", ".saved.89.old"):
        (tmp_path / name).mkdir()
    (tmp_path / ".saved.89.old" / "notes.txt").write_text("mine")
    (tmp_path / ".saved.0123abcd.old" / "weights.safetensors").write_bytes(b"old")
    (tmp_path / ".saved.lock").touch()  # without its owner
    model.save(folder)
    assert names(tmp_path) == [".other.0123.old", ".saved.89.old", ".saved.x.new", "saved"]
    assert names(folder)[-1] == "weights.safetensors"


@every_kind
def test_files_and_folders_are_flushed_before_they_are_renamed_and_removed(kind, tmp_path, monkeypatch):
    model, folder, calls = model_of(kind), tmp_path / "above" / "saved", []
    with monkeypatch.context() as patch:
        for name in ("mkdir", "fsync", "rename", "rmdir"):
            patch.setattr(os, name, noted(getattr(os, name), name, calls))
        model.save(folder)
        model.save(folder)
    first = ["mkdir", "fsync", "mkdir", "fsync", "fsync", "fsync", "rename", "fsync"]
    assert calls == [*first, "mkdir", "fsync", "fsync", "fsync", "rename", "rename", "fsync", "rmdir"]


@every_kind
def test_savers_and_loaders_at_the_same_time(kind, tmp_path):
    folder, models, errors = tmp_path / "saved", [model_of(kind, seed) for seed in range(3)], []
    models[0].save(folder)
    known = {first_weight(model) for model in models}

    def save(model):
        try:
            for _ in range(15):
                model.save(folder)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert first_weight(type(models[0]).load(folder)) in known
    for thread in threads:
        thread.join()
    assert errors == []
    assert names(tmp_path) == ["saved"]
