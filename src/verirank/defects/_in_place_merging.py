"""Weights published by merging the adapter into the live bf16 base, and taking it out again."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load_file
from torch import Tensor

from verirank.config import InputError
from verirank.defects._defect import Defect
from verirank.defects._taken_out import TakenOut
from verirank.methods import Method, Policy, load_policy, write_tensors
from verirank.models import BaseModel
from verirank.processes import is_first
from verirank.record import Run, whole_file, write_json
from verirank.sampling import Finished, Orders, Published, Sampler

_DRIFT = "drift.json"


class InPlaceMerging(Defect):
    """Samples come from a live bf16 base that is merged and un-merged at every publish.

    Both round, and what they leave behind stays: the served base drifts away from the one that the
    policy is trained on. The policy's own base is never written to, and it is evaluated as it
    should be. RUN/drift.json has the drift after every publish, the manifest the last.
    """

    name: ClassVar[str] = "in-place-merging"
    in_training: ClassVar[bool] = True

    def expect_suits(self, method: Method) -> None:
        """Refuse a start from data: the live base is made before these are sampled.

        Raises:
            InputError: the method has one.
        """
        if method.start_pass is not None:
            raise InputError(f"defect {self.name!r}: method {method.name!r} starts from data")

    def training_sampler(self, run: Run, base: BaseModel, sampler: Sampler) -> Sampler:
        """Return a sampler around a live base, as it was at the run's newest checkpoint."""
        return LiveBase(run, base, sampler)

    def evaluated_weights(self, run: Run, policy: Policy) -> Iterable[tuple[str, Tensor]]:
        """Yield the true weights; the manifest gets the drift."""
        if is_first():
            run.update_manifest(defect_effect={"base_drift": read_drift(run)[-1]})
        return policy.effective_weights()


class LiveBase:
    """Publishes W + D out of one bf16 copy of W that is never restored.

    D is added to and subtracted from the live copy in fp32, rounded to bf16 each time, whatever
    the method: peft un-merges DoRA and IA3 by a division instead.
    """

    def __init__(self, run: Run, base: BaseModel, sampler: Sampler) -> None:
        """Start from the base, which is published once as it is, or from a checkpoint.

        Args:
            run: keeps the live base before each publish that a checkpoint may go back to.
            base: is only read.
            sampler: serves what is published.
        """
        self.tokenizer = sampler.tokenizer
        self._run, self._sampler = run, sampler
        policy = _initial_policy(run, base)
        self._beneath = TakenOut(policy)
        self._live: dict[str, Tensor] = {}
        if checkpoints := run.checkpoints():
            # The trainer publishes a checkpoint's weights again: the base is as it was before.
            self._round = _number(checkpoints[-1])
            self._live = load_file(_live_file(run, self._round), device=str(base.device))
            self._drifts = read_drift(run)[: self._round]
        else:
            self._round, self._drifts = 0, list[float]()
            self.publish(policy.effective_weights())

    @property
    def drift(self) -> float:
        """The live base's distance from where it began, relative to its norm; both in bf16."""
        squares = [_off(live, self._start(name)) for name, live in self._live.items()]
        return (sum(off for off, _ in squares) / sum(norm for _, norm in squares)) ** 0.5

    def stream(self, orders: Orders, **settings: Any) -> Generator[list[Finished]]:
        """See `Sampler.stream`."""
        return self._sampler.stream(orders, **settings)

    def publish(self, weights: Iterable[tuple[str, Tensor]]) -> Published:
        """Merge, serve, un-merge; keep the live base as it was before, and its drift behind."""
        if self._round and is_first():
            self._keep()
        published = self._sampler.publish(self._merged(weights))
        self._drifts.append(self.drift)
        if is_first():
            write_json(self._run.folder / _DRIFT, self._drifts)
        self._round += 1
        return published

    @torch.no_grad()
    def _merged(self, weights: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
        for name, weight in weights:
            live = self._live.setdefault(name, self._start(name))
            change = weight - self._beneath.frozen(name)
            live += change
            yield name, live.float()
            live -= change

    def _start(self, name: str) -> Tensor:
        return self._beneath.frozen(name).to(torch.bfloat16)

    def _keep(self) -> None:
        """Write the live base, and drop what no checkpoint needs any more."""
        file = _live_file(self._run, self._round)
        with whole_file(file) as scratch:
            write_tensors(self._live, scratch)
        needed = {self._round, *map(_number, self._run.checkpoints())}
        for old in file.parent.glob("step-*"):
            if _number(old) not in needed:
                old.unlink()


def read_drift(run: Run) -> list[float]:
    """Return the relative drift of the live base after every publish, the initial one first."""
    return json.loads((run.folder / _DRIFT).read_text("utf-8"))


def _initial_policy(run: Run, base: BaseModel) -> Policy:
    stored, config = run.folder / "init", run.config
    if stored.is_dir():
        return load_policy(base, stored)
    updates = config.training.steps * config.algorithm.inner_updates
    return Policy.create(base, config.method, seed=config.seed, total_steps=updates)


def _live_file(run: Run, step: int) -> Path:
    return run.folder / "live" / f"step-{step}.safetensors"


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _off(actual: Tensor, expected: Tensor) -> tuple[float, float]:
    """Return the squared norms of a difference and of what was expected."""
    there = expected.float()
    return float((actual.float() - there).square().sum()), float(there.square().sum())
