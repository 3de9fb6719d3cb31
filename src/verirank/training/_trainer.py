"""The training step, readable from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from verirank.algorithms import Algorithm, Group, LossSums
from verirank.config import RunFailedError, TrialConfig, learning_rate_of, load_plugin
from verirank.methods import DivergedError, Policy
from verirank.models import BaseModel, strictly_in_order
from verirank.processes import collect, share, sum_gradients, summed
from verirank.sampling import Sampler, sample_seed
from verirank.tasks import grade, load_task
from verirank.training._batch import Batch, prepare
from verirank.training._logprobs import CompletionLogprobs
from verirank.training._metrics import Clock, sampling_metrics
from verirank.verifier import Verifier


class SamplerDriftError(RunFailedError):
    """Sampler and trainer disagree by more than rounding: no step may be taken on its samples."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one training step did: its metrics (a line of metrics.jsonl) and all groups sampled."""

    metrics: dict[str, float | int | None]
    groups: list[Group]


class Trainer:
    """One trial's loop: all that a step changes is in the policy, the optimiser and three counts.

    `step` counts steps, `updates` optimiser steps, and `problems_drawn` is the position in the
    training stream. Every random number comes from a seed named by its position, so these are
    enough to go on from.
    """

    def __init__(
        self,
        config: TrialConfig,
        base: BaseModel,
        sampler: Sampler,
        verifier: Verifier,
        initial: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Build the policy and its optimiser; `initial` is a stored initial adapter, if any."""
        self.config = config
        self.base = base
        self.sampler = sampler
        self.verifier = verifier
        self.task = load_task(config.task)
        self.max_new_tokens = config.sampling.max_new_tokens or self.task.max_new_tokens
        self.algorithm: Algorithm = load_plugin("algorithm", config.algorithm.name)(
            config.algorithm
        )
        updates = config.training.steps * config.algorithm.inner_updates
        self.policy = Policy.create(
            base, config.method, seed=config.seed, total_steps=updates, initial=initial
        )
        self.logprobs = CompletionLogprobs(self.policy.model, config.sampling.temperature)
        if config.machine.gradient_checkpointing:
            self.logprobs.checkpoint_layers()
        if config.machine.shard:
            self.logprobs.shard()
        self.reference_logprobs = CompletionLogprobs(
            self.policy.reference, config.sampling.temperature
        )
        self.learning_rate = learning_rate_of(config.method, config.model.name)
        self.optimizer = self.policy.optimizer(config.training, self.learning_rate)
        self.full_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.step = 0
        self.updates = 0
        self.problems_drawn = 0

    def train_step(self) -> Step:
        """Sample and verify groups, take the algorithm's optimiser steps, publish the weights."""
        clock = Clock()
        sampled, selected = self._sample_groups(clock)
        with clock("train"):
            update = self.learn(selected)
        with clock("publish"):
            published = self.sampler.publish(self.policy.effective_weights())
        self.step += 1
        if not math.isfinite(published.delta_norm):
            what = f"the change of the weights is {published.delta_norm} after step {self.step}"
            raise DivergedError.of(self.config.method.name, what)
        metrics = {
            "step": self.step,
            **sampling_metrics(sampled),
            **update,
            "lr": self.optimizer.param_groups[0]["lr"],
            "delta_norm": published.delta_norm,
            "served_changed_fraction": published.changed_fraction,
            **clock.metrics(sampled),
        }
        return Step(metrics, sampled)

    def learn(self, groups: Sequence[Group]) -> dict[str, float | int | None]:
        """Take the algorithm's optimiser steps on groups, without publishing or counting a step.

        Returns:
            groups_used, and of the last optimiser step clip_fraction, kl_train_sampler, entropy and
            grad_norm; these are None, but for the norm, where no group had a signal.

        Raises:
            SamplerDriftError: the completions are another policy's.
            DivergedError: the gradient is not finite.
        """
        batch = prepare(
            groups,
            self.algorithm,
            max_new_tokens=self.max_new_tokens,
            most_tokens=self.config.training.micro_batch_tokens,
            most_places=self._most_places(),
        ).share(self.base.device)
        self._remember_reference(batch)
        update: dict[str, float | None] = {}
        for _ in range(self.config.algorithm.inner_updates):
            update = self._accumulate_gradients(batch)
            self._expect_served(update)
            update |= {"grad_norm": self._update()}
        return {"groups_used": batch.groups_used, **update}

    def _most_places(self) -> int | None:
        """Return how far completions of unlike length may be padded together.

        Off a CPU attention takes each behind its prompt, as long as the longest: twice what a
        micro-batch may hold anyway.
        """
        on_cpu = self.base.device.type == "cpu"
        return None if on_cpu else 2 * self.config.training.micro_batch_tokens

    def _sample_groups(self, clock: Clock) -> tuple[list[Group], list[Group]]:
        """Draw problems until the batch is full of selected groups, or the rounds are used up."""
        wanted = self.config.sampling.problems_per_step
        sampled: list[Group] = []
        selected: list[Group] = []
        for _ in range(self.algorithm.sampling_rounds):
            answered = self._answer(wanted - len(selected), clock)
            sampled += answered
            selected += filter(self.algorithm.selects, answered)
            if len(selected) == wanted:
                break
        return sampled, selected

    def _answer(self, n: int, clock: Clock) -> list[Group]:
        """Answer the next n problems of the stream, each process its share of them."""
        first = self.problems_drawn
        self.problems_drawn += n
        groups = self._groups(share(range(first, self.problems_drawn)), clock)
        with clock("sample"):  # where a process waits for the others
            return collect(groups)

    def _groups(self, places: Sequence[int], clock: Clock) -> list[Group]:
        """Sample and verify one group for the problem at each place of the stream."""
        sampling = self.config.sampling
        problems = [self.task.training_problem(self.config.seed, place) for place in places]
        with clock("sample"):
            completions = self.sampler.sample(
                [self.task.render(problem, self.sampler.tokenizer) for problem in problems],
                [self._seeds(place) for place in places],
                temperature=sampling.temperature,
                max_new_tokens=self.max_new_tokens,
                stop=self.task.stop,
            )
        with clock("verify"):
            texts = [[completion.text for completion in group] for group in completions]
            rewards = grade(self.task, self.verifier, problems, texts)
        return [
            Group(problem, tuple(group), tuple(verdicts))
            for problem, group, verdicts in zip(problems, completions, rewards, strict=True)
        ]

    def _seeds(self, place: int) -> list[int]:
        samples = range(self.config.sampling.group_size)
        return [sample_seed(self.config.seed, "train", place, sample) for sample in samples]

    def _remember_reference(self, batch: Batch) -> None:
        """Take the base's log-probabilities, where the algorithm penalises leaving them."""
        if self.config.algorithm.kl_coefficient == 0:
            return
        with torch.no_grad(), self.policy.autocast():
            for part in batch.parts:
                part.remember(reference_NT=self.reference_logprobs(part.sequences))

    def _accumulate_gradients(self, batch: Batch) -> dict[str, float | None]:
        """Backpropagate the whole batch, a micro-batch at a time; its losses add up exactly.

        They do so over processes too: every token's weight comes from the totals of all.
        """
        for parameter in self.policy.trainable().values():
            parameter.grad = torch.zeros_like(parameter)
        sums = LossSums.zero(self.base.device)
        for part in batch.parts:
            with strictly_in_order(self.base.device):
                with self.policy.autocast():
                    logprobs_NT = self.logprobs(part.sequences)
                loss, part_sums = self.algorithm.loss(logprobs_NT, part.tokens)
                loss.backward()
            sums += part_sums
            if part.tokens.old_NT is None:
                part.remember(old_NT=logprobs_NT.detach())
        if not batch.parts:
            return dict.fromkeys(("clip_fraction", "kl_train_sampler", "entropy"))
        sum_gradients(self.policy.trainable().values())
        totals = summed(sums.tokens, sums.clipped, sums.kl_train_sampler, sums.logprobs)
        return {**LossSums(*totals).means()}

    def _expect_served(self, update: Mapping[str, float | None]) -> None:
        """Refuse to learn from completions of another policy than the one that is trained."""
        kl, entropy = update["kl_train_sampler"], update["entropy"]
        # A policy whose log-probabilities are not numbers has diverged: its update will say so.
        if kl is None or entropy is None or math.isnan(entropy):
            return
        limit = self.config.sampling.kl_limit
        if not kl <= limit:
            raise SamplerDriftError(
                f"the sampler does not serve the trained policy: their KL at step {self.step + 1} "
                f"is {kl:.3g} nats a token, above sampling.kl_limit = {limit:g}"
            )

    def _update(self) -> float:
        """Take one optimiser step at the warm-up's rate; return the gradient's norm.

        Where no group had a signal the gradient is 0, and AdamW's momentum still moves the weights,
        as it does in every trainer that steps once a batch.
        """
        warm = min(1.0, (self.step + 1) / max(self.config.training.warmup_steps, 1))
        for group, rate in zip(self.optimizer.param_groups, self.full_rates, strict=True):
            group["lr"] = rate * warm
        self.updates += 1
        max_norm = self.config.training.max_grad_norm
        return self.policy.update(self.optimizer, self.updates, max_norm)
