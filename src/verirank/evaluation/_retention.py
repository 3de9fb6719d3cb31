"""What a policy forgot: its loss on held-out text, and how far it went from the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from importlib.resources import files
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from verirank.config import TrialConfig
from verirank.kernels import Sequences
from verirank.methods import Policy
from verirank.sampling import Sampler, sample_all, sample_seed
from verirank.tasks import Task, draw_chain
from verirank.training import CompletionLogprobs

PROBLEMS, SAMPLES, SUMS = 16, 4, 32
"""Training problems and completions of each for the KL; worked sums in place of prose."""
_TOGETHER = 8
Family = tuple[Sequence[int], Sequence[Sequence[int]], Sequence[Sequence[bool]]]
"""Tokens that are given, one or more continuations of them, and which of their tokens count."""


def measure_retention(
    policy: Policy, task: Task, sampler: Sampler, config: TrialConfig
) -> dict[str, Any] | None:
    """Return a policy's losses on held-out text beside the base's, and its KL from the base.

    The text is prose that was written for this package (16 passages), so that no model has been
    trained on it; for models whose tokenizer cannot write it, worked sums of the test split of
    `arithmetic`, which is all that the micro model was taught. KL is of the policy from the base on
    completions that the policy draws of the first training problems, at the trial's temperature.

    Args:
        policy: the trained one.
        task: has the training problems.
        sampler: serves the policy.
        config: the trial's.

    Returns:
        `text`: `prose` or `sums`; by passage `before` and `after`, nats a token; by problem `kl`,
        nats a token. None where the weights are sharded, of which no process has all.
    """
    if config.machine.shard:
        return None
    text, families = _held_out(sampler.tokenizer)
    own = _completions(sampler, task, config)
    base, temperature = policy.base.sharing_copy(), config.sampling.temperature
    after, before = (_means(policy, model, families, 1.0) for model in (policy.model, base))
    ours, theirs = (_means(policy, model, own, temperature) for model in (policy.model, base))
    return {
        "text": text,
        "before": [-mean for mean in before],
        "after": [-mean for mean in after],
        "kl": [one - other for one, other in zip(ours, theirs, strict=True)],
    }


def _held_out(tokenizer: Any) -> tuple[str, list[Family]]:
    """Return the kind of text, and each passage behind its first token, or sum behind its task."""
    passages = (files("verirank.evaluation") / "prose.txt").read_text("utf-8").strip().split("\n\n")
    tokens = [tokenizer(passage).input_ids for passage in passages]
    if _written(passages[0]) in _written(tokenizer.decode(tokens[0])):
        return "prose", [_family(each[:1], each[1:]) for each in tokens]
    sums = [
        (tokenizer(f"{chain.expression}=").input_ids, chain)
        for chain in _chains(Random("retention"))
    ]
    worked = [rf"<think>{';'.join(c.steps)}</think>\boxed{{{c.value}}}" for _, c in sums]
    return "sums", [
        _family(asked, tokenizer(said).input_ids)
        for (asked, _), said in zip(sums, worked, strict=True)
    ]


def _family(given: Sequence[int], continuation: Sequence[int]) -> Family:
    return given, [continuation], [[True] * len(continuation)]


def _chains(rng: Random) -> list[Any]:
    chains: dict[str, Any] = {}
    while len(chains) < SUMS:
        chain = draw_chain(rng, rng.choice((2, 3)))
        if chain.split == "test":
            chains[chain.expression] = chain
    return list(chains.values())


def _written(text: str) -> str:
    return "".join(text.split()).casefold()


def _completions(sampler: Sampler, task: Task, config: TrialConfig) -> list[Family]:
    problems = [task.training_problem(config.seed, index) for index in range(PROBLEMS)]
    groups = sample_all(
        sampler,
        [task.render(problem, sampler.tokenizer) for problem in problems],
        [
            [sample_seed(config.seed, "retention", index, k) for k in range(SAMPLES)]
            for index in range(PROBLEMS)
        ],
        temperature=config.sampling.temperature,
        max_new_tokens=config.sampling.max_new_tokens or task.max_new_tokens,
        stop=task.stop,
        reply=task.reply,
    )
    return [
        (group[0].prompt_tokens, [c.tokens for c in group], [c.own for c in group])
        for group in groups
    ]


@torch.no_grad()
def _means(
    policy: Policy, model: Any, families: Sequence[Family], temperature: float
) -> list[float]:
    """Return by family the mean log-probability of a token that counts, nats."""
    logprobs = CompletionLogprobs(model, temperature, packed=policy.base.form is None)
    means = list[float]()
    for first in range(0, len(families), _TOGETHER):
        part = families[first : first + _TOGETHER]
        packed = Sequences.pack([(given, continued) for given, continued, _ in part])
        counted_NT = pad_sequence(
            [torch.tensor(counted) for *_, masks in part for counted in masks], batch_first=True
        ).to(policy.base.device)
        with policy.autocast():
            logprobs_NT: Tensor = logprobs(_on(policy.base.device, packed)).double()
        rows = iter((logprobs_NT * counted_NT).sum(1).tolist())
        for *_, masks in part:
            total = sum(next(rows) for _ in masks)
            means.append(total / sum(map(sum, masks)))
    return means


def _on(device: torch.device, sequences: Sequences) -> Sequences:
    held = {f.name: getattr(sequences, f.name) for f in fields(sequences)}
    return replace(sequences, **{name: tensor.to(device) for name, tensor in held.items()})
