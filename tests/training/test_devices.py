"""What a step makes and moves is on the base's device, as far as it can be seen without a GPU."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

import verirank
from verirank.config import CONTENDERS, InputError, override, resolve
from verirank.methods import Policy, method_config
from verirank.models import BaseModel, device_of, load_base
from verirank.sampling import TransformersSampler
from verirank.training import Trainer
from verirank.verifier import Verifier

PACKAGE = Path(verirank.__file__).parent
MADE_ON_THE_CPU = {"training/_batch.py"}
"""Here a batch is put together from lists, before a process moves its share to its device."""


class PlacelessTensors(TorchFunctionMode):
    """Notes where the package makes a tensor without saying on which device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _device_constructors() and kwargs.get("device") is None:
            frame = inspect.stack()[1]
            file = Path(frame.filename)
            if file.is_relative_to(PACKAGE):
                place = file.relative_to(PACKAGE).as_posix()
                if place not in MADE_ON_THE_CPU:
                    self.found.add(f"{place}:{frame.lineno}")
        return func(*args, **kwargs)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(m, marks=() if m in ("lora", "adalora", "full") else pytest.mark.thorough)
        for m in CONTENDERS
    ],
)
def test_no_tensor_of_a_step_is_made_without_saying_where(
    base: BaseModel, verifier: Verifier, method: str
) -> None:
    settings = [
        f"method.name={method}",
        "sampling.problems_per_step=2",
        "sampling.group_size=4",
        "training.steps=3",
        "algorithm.kl_coefficient=0.1",
    ]
    config = resolve(override({}, settings))
    with PlacelessTensors() as made:
        Trainer(config, base, TransformersSampler(base), verifier).train_step()
    assert not made.found


@pytest.mark.parametrize("method", CONTENDERS)
def test_a_method_stays_on_the_device_of_its_base(base: BaseModel, method: str) -> None:
    elsewhere = replace(base, model=load_base(resolve({}).model).model.to("meta"))
    config = method_config({"name": method})
    # peft's PiSSA replaces parameters in a way that meta alone refuses.
    stored = Policy.create(base, config, seed=0, total_steps=9).initial_state() or None
    policy = Policy.create(elsewhere, config, seed=0, total_steps=9, initial=stored)
    if method != "dora":  # it puts autocast off, which meta has not
        tokens_NT = torch.ones(2, 3, dtype=torch.long, device="meta")
        policy.model(input_ids=tokens_NT).logits.float().sum().backward()
        if (penalty := policy.method.penalty(policy)) is not None:
            penalty.backward()
        policy.method.project_gradients(policy)
        assert all(p.grad is not None for p in policy.trainable().values())
    tensors = [
        *policy.model.parameters(),
        *policy.model.buffers(),
        *(p.grad for p in policy.trainable().values() if p.grad is not None),
        *policy.initial.values(),
        *(weight for _, weight in policy.effective_weights()),
    ]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_a_stored_state_comes_back_on_the_device_of_the_base(base: BaseModel) -> None:
    elsewhere = replace(base, model=load_base(resolve({}).model).model.to("meta"))
    for method in ("pissa", "adalora", "vera", "lora-fa"):
        config = method_config({"name": method})
        stored = Policy.create(base, config, seed=0, total_steps=9)
        policy = Policy.create(
            elsewhere, config, seed=0, total_steps=9, initial=stored.initial_state() or None
        )
        policy.load_state(stored.state())
        tensors = [*policy.state().values(), *policy.initial.values()]
        assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"no cuda device here.*machine.device = cpu or auto"):
        device_of("cuda")


def test_auto_falls_back_to_the_cpu() -> None:
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert device_of("auto") == torch.device("cpu")
