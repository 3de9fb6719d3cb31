"""The training step, readable from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from verirank.algorithms import Algorithm, Group, LossSums
from verirank.config import RunFailedError, TrialConfig, learning_rate_of, load_plugin
from verirank.methods import DivergedError, Policy, create_method
from verirank.models import BaseModel, deterministic
from verirank.processes import any_process, sum_gradients, summed
from verirank.sampling import Order, Sampler, sample_seed
from verirank.tasks import Problem, Task, load_task
from verirank.training._batch import Batch, prepare
from verirank.training._logprobs import CompletionLogprobs
from verirank.training._metrics import Clock, sampling_metrics
from verirank.training._refill import Grader, Intake, KeepRate, Refill, StepAbandonedError
from verirank.training._rewards import rewards_of
from verirank.training._schedule import rate_factor
from verirank.training._start_completions import Start, StartCompletions
from verirank.verifier import Verifier


class SamplerDriftError(RunFailedError):
    """Sampler and trainer disagree by more than rounding: no step may be taken on its samples."""

    failure_kind = "invalid"


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
        base_reward: float | None = None,
        task: Task | None = None,
    ) -> None:
        """Build the policy and its optimiser.

        `initial` is a stored initial adapter, if any; without one, a method that starts from data
        has them sampled here, while the sampler serves the base. `base_reward` is the base's mean
        reward on training problems, which a control with random rewards needs; `task` stands in for
        the one that the settings name.
        """
        self.config = config
        self.base = base
        self.sampler = sampler
        self.verifier = verifier
        self.task = task or load_task(config.task)
        self.rewards = rewards_of(config, self.task, verifier, base_reward)
        self.max_new_tokens = config.sampling.max_new_tokens or self.task.max_new_tokens
        self.algorithm: Algorithm = load_plugin("algorithm", config.algorithm.name)(
            config.algorithm
        )
        self.policy, self.start = self._make_policy(initial)
        settings = {"temperature": config.sampling.temperature, "packed": base.form is None}
        self.logprobs = CompletionLogprobs(self.policy.model, **settings)
        if config.machine.gradient_checkpointing:
            self.logprobs.checkpoint_layers()
        if config.machine.shard:
            self.logprobs.shard()
        self.reference_logprobs = CompletionLogprobs(self.policy.reference, **settings)
        self.learning_rate = learning_rate_of(
            config.method, config.model.name, config.training.optimizer
        )
        if config.control == "no-signal":
            self.learning_rate = 0.0
        self.optimizer = self.policy.optimizer(config.training, self.learning_rate)
        self.full_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.keep_rate = KeepRate()
        self.step = 0
        self.updates = 0
        self.problems_drawn = 0

    def _make_policy(self, initial: Mapping[str, Tensor] | None) -> tuple[Policy, Start | None]:
        """Return the policy, and what the data were that its method starts from, if there are any.

        They are the base's completions of the first training problems.
        """
        config, data, started = self.config, None, time.perf_counter()
        if initial is None and create_method(config.method).start_pass is not None:
            data = StartCompletions.sample(
                *(config, self.base, self.sampler, self.task, self.rewards, self.algorithm),
                max_new_tokens=self.max_new_tokens,
                most_padded=self._most_padded(),
            )
        policy = Policy.create(
            self.base,
            config.method,
            seed=config.seed,
            total_steps=config.training.steps * config.algorithm.inner_updates,
            initial=initial,
            data=data,
        )
        return policy, data and data.start(time.perf_counter() - started)

    def train_step(self, stopping: Callable[[], bool] = lambda: False) -> Step:
        """Sample and verify groups, take the algorithm's optimiser steps, publish the weights.

        Raises:
            StepAbandonedError: `stopping` came true, here or in another process; groups and
                gradients of the step are lost.
        """
        clock = Clock()
        sampled, selected = self._sample_groups(clock, stopping)
        with clock("train"):
            update = self.learn(selected, stopping)
        with clock("publish"):
            published = self.sampler.publish(self.policy.effective_weights())
        self.step += 1
        if not math.isfinite(published.delta_norm):
            what = f"the change of the weights is {published.delta_norm} after step {self.step}"
            raise DivergedError.of(self.config.method.name, what)
        metrics = {
            "step": self.step,
            **sampling_metrics(sampled, self.task.is_whole_at_limit),
            **update,
            "lr": self.optimizer.param_groups[0]["lr"],
            "delta_norm": published.delta_norm,
            "served_changed_fraction": published.changed_fraction,
            **clock.metrics(sampled),
        }
        return Step(metrics, sampled)

    def learn(
        self, groups: Sequence[Group], stopping: Callable[[], bool] = lambda: False
    ) -> dict[str, float | int | None]:
        """Take the algorithm's optimiser steps on groups, without publishing or counting a step.

        Returns:
            groups_used, and of the last optimiser step clip_fraction, kl_train_sampler, entropy and
            grad_norm; these are None, but for the norm, where no group had a signal.

        Raises:
            SamplerDriftError: the completions are another policy's.
            DivergedError: the gradient is not finite.
            StepAbandonedError: `stopping` came true before the last gradient was complete.
        """
        batch = prepare(
            groups,
            self.algorithm,
            max_new_tokens=self.max_new_tokens,
            most_tokens=self.config.training.micro_batch_tokens,
            most_padded=self._most_padded(),
        ).own_part(self.base.device)
        self._remember_reference(batch)
        update: dict[str, float | None] = {}
        for _ in range(self.config.algorithm.inner_updates):
            update = self._accumulate_gradients(batch, stopping)
            self._expect_served(update)
            update |= {"grad_norm": self._update()}
        return {"groups_used": batch.groups_used, **update}

    def _most_padded(self) -> int | None:
        """Return how far completions of unlike length may be padded together.

        Off a CPU attention takes each behind its prompt, as long as the longest: twice what a
        micro-batch may hold anyway.
        """
        on_cpu = self.base.device.type == "cpu"
        return None if on_cpu else 2 * self.config.training.micro_batch_tokens

    def _sample_groups(
        self, clock: Clock, stopping: Callable[[], bool] = lambda: False
    ) -> tuple[list[Group], list[Group]]:
        """Sample the stream's next groups until the batch is full; return all, and those kept."""
        wanted = self.config.sampling.problems_per_step
        most = wanted * self.algorithm.sampling_rounds
        intake = Intake(wanted, most, self.keep_rate, self.config.sampling.requested_ahead)
        grader = Grader(self.rewards)
        first = [self._order(offset) for offset in range(wanted)]
        longest = max(len(order.prompt_tokens) for _, order in first)
        longest += self.max_new_tokens + self.task.reply_tokens

        def order(offset: int) -> tuple[Problem, Order]:
            return first[offset] if offset < wanted else self._order(offset)

        refill = Refill(self.sampler, grader, intake, order, self.algorithm.selects)
        sampled = refill.fill(
            clock,
            stopping,
            longest=longest,
            temperature=self.config.sampling.temperature,
            stop=self.task.stop,
            reply=self.task.reply,
        )
        self.problems_drawn += len(sampled)
        return sampled, list(filter(self.algorithm.selects, sampled))

    def _order(self, offset: int) -> tuple[Problem, Order]:
        """Return the problem that far ahead in the stream, and what to sample of it."""
        position = self.problems_drawn + offset
        problem = self.task.training_problem(self.config.seed, position)
        seeds = self._seeds(position)
        tokenizer = self.sampler.tokenizer
        tokens = tuple(tokenizer(self.task.render(problem, tokenizer)).input_ids)
        return problem, Order(offset, tokens, seeds, [self.max_new_tokens] * len(seeds))

    def _seeds(self, position: int) -> list[int]:
        samples = range(self.config.sampling.group_size)
        return [sample_seed(self.config.seed, "train", position, sample) for sample in samples]

    def _remember_reference(self, batch: Batch) -> None:
        """Take the base's log-probabilities, where the algorithm penalises leaving them."""
        if self.config.algorithm.kl_coefficient == 0:
            return
        with torch.no_grad(), self.policy.autocast():
            for part in batch.parts:
                part.remember(reference_NT=self.reference_logprobs(part.sequences))

    def _accumulate_gradients(
        self, batch: Batch, stopping: Callable[[], bool] = lambda: False
    ) -> dict[str, float | None]:
        """Backpropagate the whole batch, a micro-batch at a time; its losses add up exactly.

        They do so over processes too: every token's weight comes from the totals of all.
        """
        for parameter in self.policy.trainable().values():
            parameter.grad = torch.zeros_like(parameter)
        sums = LossSums.zero(self.base.device)
        for part in batch.parts:
            if any_process(stopping()):
                raise StepAbandonedError
            with deterministic(self.base.device):
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
        """Take one optimiser step at the schedule's rate; return the gradient's norm.

        Where no group had a signal the gradient is 0, and momentum still moves the weights,
        as it does in every trainer that steps once a batch.
        """
        factor = rate_factor(self.step, self.config.training)
        for group, rate in zip(self.optimizer.param_groups, self.full_rates, strict=True):
            group["lr"] = rate * factor
        self.updates += 1
        max_norm = self.config.training.max_grad_norm
        return self.policy.update(self.optimizer, self.updates, max_norm)
