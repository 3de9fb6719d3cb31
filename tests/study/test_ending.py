"""Which failures are the machine's, and tried again, and which are a trial's own for good."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from verirank.config import InputError, ModelConfig, VerifierConfig
from verirank.models import load_base
from verirank.trial import may_pass
from verirank.verifier import Verifier


def raised_from(cause: Exception) -> InputError:
    """Return what a loader makes of an error."""
    try:
        raise InputError("cannot load model 'owner/name'") from cause
    except InputError as error:
        return error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.ESTALE, errno.EDQUOT])
def test_a_model_that_the_disk_failed_is_loaded_again(number: int) -> None:
    assert may_pass(raised_from(OSError(number, os.strerror(number))))


def test_a_model_that_is_not_where_it_was_said_to_be_fails_for_good() -> None:
    for cause in (FileNotFoundError(errno.ENOENT, "no"), OSError("is no valid model identifier")):
        assert not may_pass(raised_from(cause))
    with pytest.raises(InputError) as caught:
        load_base(ModelConfig(name="./nowhere"))
    assert not may_pass(caught.value)


def test_a_folder_whose_weights_cannot_be_read_fails_for_good(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError) as caught:
        load_base(ModelConfig(name=str(tmp_path)))
    assert not may_pass(caught.value)


def test_a_hub_that_cannot_be_reached_may_be_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    for name, passes in (("owner/name", True), ("owner/na me", False)):
        with pytest.raises(InputError, match="is no folder here") as caught:
            load_base(ModelConfig(name=name))
        assert may_pass(caught.value) is passes
    with pytest.raises(InputError, match="did you mean 'smollm2'"):
        load_base(ModelConfig(name="smollm"))


def test_faults_of_a_gpu_pass() -> None:
    faults = [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        raised_from(ValueError("Free memory on device cuda:0 (3/80 GiB) on startup is less than")),
    ]
    assert all(map(may_pass, faults))
    assert not may_pass(RuntimeError("the policy diverged"))


def test_an_answer_worker_that_cannot_start_is_no_verdict_and_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        pytest.raises(RuntimeError, match="an answer worker cannot start") as caught,
        Verifier(VerifierConfig(workers=1)) as verifier,
    ):
        verifier.verify(r"\sqrt{2}", r"\sqrt[4]{4}")
    assert may_pass(caught.value)
