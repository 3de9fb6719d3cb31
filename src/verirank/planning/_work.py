"""Tokens and FLOPs of a trial."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from verirank.config import DURING, TrialConfig
from verirank.methods import create_method
from verirank.models import ModelShape
from verirank.tasks import bench_settings, load_task

PROMPT_TOKENS = 150
"""Of a problem of competition mathematics with its template, on average."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens of a prompt and of a completion."""

    prompt: int
    completion: int


def usual_lengths(
    config: TrialConfig, prompt: int = PROMPT_TOKENS, completion: int | None = None
) -> Lengths:
    """Return the lengths that are planned with: completions of half their limit, if not told."""
    return Lengths(prompt, completion or max(1, token_limit(config) // 2))


def token_limit(config: TrialConfig) -> int:
    """Return how many tokens a completion may have at most."""
    return config.sampling.max_new_tokens or load_task(config.task).max_new_tokens


@dataclass(frozen=True, slots=True)
class Work:
    """What a trial computes, in all its steps and evaluations.

    `sampled_tokens` and `trained_tokens` are those of training, and of the data that a method
    starts from; FLOPs count a multiply and an add as two, and those of the start are of sampling
    its data (`start_sampling_flops`) and of their pass (`start_pass_flops`).
    """

    sampled_tokens: float
    trained_tokens: float
    sampling_flops: float
    training_flops: float
    evaluation_flops: float
    start_sampling_flops: float = 0.0
    start_pass_flops: float = 0.0

    @property
    def flops(self) -> float:
        """All FLOPs together."""
        steps = self.sampling_flops + self.training_flops + self.evaluation_flops
        return steps + self.start_sampling_flops + self.start_pass_flops


def work_of(config: TrialConfig, shape: ModelShape, lengths: Lengths) -> Work:
    """Return a trial's work, if every group trains and no group is drawn twice.

    With M the weights of the linears (of experts, those that see a token), V x H the head, A the
    weights that an adapter multiplies a token with, trained or frozen, T tokens and L the length of
    a sequence, a forward pass costs 2 M T + 2 V H T' + 4 H_q layers T L / 2, where T' are tokens
    whose logits are taken and the last term is causal attention (Kaplan et al., arXiv:2001.08361,
    sec. 2.1).
    Backward costs as much again for the activations' gradient, and once more for the weights' where
    they are trained; an adapter adds 6 A T. A frozen head is passed twice, a trained one four
    times, as its logits are not kept. Prompts are shared by the completions of a group, in training
    by those of a micro-batch, where attention is computed once more in the backward pass. Gradient
    checkpointing computes the layers forward once more. All of this happens once an inner update;
    the base's log-probabilities, which a KL penalty needs, are one forward pass a step. Not counted
    are the rows by which the sampler fills its products up to a multiple of 16 on a CPU: of 128
    samples 6 % more, of 8 samples three times as much. Of a method that starts from data, neither
    are the decompositions that it makes of them.

    Args:
        config: the trial; benches with sizes of their own are counted at these.
        shape: the model's.
        lengths: mean tokens of prompts and completions.
    """
    sampling, steps = config.sampling, config.training.steps
    prompts, group = sampling.problems_per_step, sampling.group_size
    forward = _Forward(shape)
    sampled = forward.of_samples(prompts, group, lengths)
    training = config.algorithm.inner_updates * _training_flops(config, shape, forward, lengths)
    training += _reference_flops(config, forward, lengths)
    task, evaluated = load_task(config.task), 0.0
    for bench in config.evaluation.benches:
        asked = bench_settings(task, bench, config)
        evaluated += 2 * forward.of_samples(asked.problems, asked.samples, lengths)
    if config.evaluation.every:
        asked = bench_settings(task, DURING, config)
        a_bench = forward.of_samples(asked.problems, asked.samples, lengths)
        evaluated += steps // config.evaluation.every * a_bench
    started = start_problems(config)
    return Work(
        sampled_tokens=float((steps * prompts + started) * group * lengths.completion),
        trained_tokens=(steps + started / prompts) * trained_tokens(config, lengths),
        sampling_flops=steps * sampled,
        training_flops=steps * training,
        evaluation_flops=evaluated,
        start_sampling_flops=forward.of_samples(started, group, lengths),
        start_pass_flops=started / prompts * _start_flops(config, forward, lengths),
    )


def start_problems(config: TrialConfig) -> int:
    """Return of how many problems a trial samples completions for its method to start from."""
    method = create_method(config.method)
    return 0 if method.start_pass is None else method.config.problems


def _start_flops(config: TrialConfig, forward: _Forward, lengths: Lengths) -> float:
    """Return the FLOPs of the pass that a method starts from, over as many problems as a step has.

    A backward pass gives the gradients of the linears' weights, and leaves out the head's; with
    gradient checkpointing the layers are computed once more.
    """
    tokens, written = trained_tokens(config, lengths), written_tokens(config, lengths)
    backward = create_method(config.method).start_pass == "backward"
    again = backward and config.machine.gradient_checkpointing
    linears = 2 * forward.linears * tokens * ((3 if backward else 1) + again)
    head = 2 * forward.head * written * (2 if backward else 1)
    attention = forward.trained_attention(tokens, written, lengths)
    return linears + head + ((4 if backward else 1) + again) * attention


@dataclass(frozen=True, slots=True)
class _Forward:
    """FLOPs of forward passes of a shape."""

    shape: ModelShape

    @property
    def linears(self) -> float:
        return self.shape.multiplied

    @property
    def head(self) -> int:
        return self.shape.vocabulary * self.shape.hidden

    def attention(self, tokens: float, seen: float) -> float:
        """Of tokens that see `seen` others each, on average."""
        return 4 * self.shape.heads * self.shape.head_dim * self.shape.layers * tokens * seen

    def trained_attention(self, tokens: int, written: int, lengths: Lengths) -> float:
        """Of a step's tokens forward, of which so many are `written`, the others prompts."""
        own = self.attention(written, lengths.prompt + lengths.completion / 2)
        return own + self.attention(tokens - written, lengths.prompt / 2)

    def of_samples(self, prompts: int, group: int, lengths: Lengths) -> float:
        read, written = prompts * lengths.prompt, prompts * group * lengths.completion
        flops = 2 * self.linears * (read + written) + 2 * self.head * (prompts + written)
        flops += self.attention(read, lengths.prompt / 2)
        return flops + self.attention(written, lengths.prompt + lengths.completion / 2)


def written_tokens(config: TrialConfig, lengths: Lengths) -> int:
    """Return the tokens of a step's completions."""
    return config.sampling.problems_per_step * config.sampling.group_size * lengths.completion


def trained_tokens(config: TrialConfig, lengths: Lengths) -> int:
    """Return the tokens of a step that go through the model in training."""
    sampling = config.sampling
    free = config.training.micro_batch_tokens - lengths.prompt
    together = min(max(1, free // max(1, lengths.completion)), sampling.group_size)
    read = ceil(sampling.group_size / together) * lengths.prompt
    return sampling.problems_per_step * (read + sampling.group_size * lengths.completion)


def _training_flops(
    config: TrialConfig, shape: ModelShape, forward: _Forward, lengths: Lengths
) -> float:
    """Return the FLOPs of one inner update."""
    method = create_method(config.method)
    own = method.multiplications(shape)
    tokens, full = trained_tokens(config, lengths), method.trains_base
    again = config.machine.gradient_checkpointing
    linears = 2 * forward.linears * tokens * ((3 if full else 2) + again)
    head = 2 * forward.head * written_tokens(config, lengths) * (4 if full else 2)
    attention = forward.trained_attention(tokens, written_tokens(config, lengths), lengths)
    adapter = (6 + 2 * again) * own * tokens
    return linears + head + (4 + again) * attention + adapter


def _reference_flops(config: TrialConfig, forward: _Forward, lengths: Lengths) -> float:
    """Return the FLOPs of the base's forward pass over a step's tokens, if it is needed."""
    if not config.algorithm.kl_coefficient:
        return 0.0
    tokens, written = trained_tokens(config, lengths), written_tokens(config, lengths)
    linears, head = 2 * forward.linears * tokens, 2 * forward.head * written
    return linears + head + forward.trained_attention(tokens, written, lengths)
