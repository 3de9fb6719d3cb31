"""GPU-hours of a trial by part: decoding step by step, training by measured efficiency."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat

import numpy as np
import torch

from verirank.config import DURING, TrialConfig, load_plugin
from verirank.methods import create_method
from verirank.models import LINEARS, ModelShape
from verirank.planning._decoding import Engine, LengthModel, refill
from verirank.planning._gpus import GPU, UTILISATION
from verirank.planning._work import (
    Lengths,
    Work,
    start_problems,
    token_limit,
    trained_tokens,
    work_of,
)
from verirank.statistics import fixed_generator
from verirank.tasks import bench_settings, load_task

AT_LIMIT = 0.12
"""The usual fraction of completions that reach the token limit (math, 16,384 tokens)."""
KEPT = 0.5
"""The usual fraction of groups whose rewards differ, which are those that have a gradient."""
_EAGER, _GRAPHS, _TRANSFORMERS = 14e-3, 4e-3, 46e-3
"""Seconds to launch a decoding step of 28 layers: vLLM without and with CUDA graphs, as its users
report, and the transformers sampler, measured on an H200 (docs/results/gpu)."""
_LAYERS = 28
_A_REQUEST = 20e-6
_START = {"vllm": 60.0, "transformers": 10.0}
_PROOF_START, _PROOF = 10.0, 300.0 / 1.54e9
"""Seconds of a proof, and more for each weight: some minutes for a model of 1.54 G, a guess."""
_PUBLISH = 0.1 / 1.54e9
"""Seconds a served weight: 0.1 for a model of 1.54 G (docs/results/gpu)."""
_SCALED_OUTPUT_BYTES = 56
"""Bytes that are moved for an output that a method scales or keeps besides, in a training step:
DoRA's 1.72 s instead of LoRA's 1.22 (docs/results/gpu)."""
_SIMULATED_STEPS = 32


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of one GPU for one trial, by part.

    `other` is loading, proof, publishing, and the data that a method starts from.
    """

    sampling: float
    training: float
    evaluation: float
    other: float

    @property
    def total(self) -> float:
        """All parts together."""
        return self.sampling + self.training + self.evaluation + self.other


@dataclass(frozen=True, slots=True)
class Costs:
    """What a machine takes for the parts of a trial's work, from constants or from a probe of it.

    `engine` decodes. Training and the reading of prompts reach `flops` FLOP/s. Outputs that a
    method scales are moved at `bandwidth` bytes a second. Publishing takes `publish` seconds a
    step, and `start` seconds come before the first one.
    """

    engine: Engine
    flops: float
    bandwidth: float
    publish: float
    start: float = 0.0


def hours_of(
    config: TrialConfig,
    shape: ModelShape,
    lengths: Lengths,
    on: GPU,
    *,
    at_limit: float | None = None,
    kept: float = KEPT,
    utilisation: float = UTILISATION,
) -> Hours:
    """Return a trial's hours on one GPU, as `hours_by` has them from the constants of GPUs.

    Args:
        config: the trial.
        shape: the model's.
        lengths: mean tokens of prompts and completions.
        on: the GPU.
        at_limit: see `hours_by`.
        kept: see `hours_by`.
        utilisation: the fraction of the GPU's peak that training reaches.

    Raises:
        InputError: no distribution of lengths has this mean and this fraction at the limit.
    """
    costs = Costs(
        engine=engine_of(config, shape, on),
        flops=on.flops * utilisation,
        bandwidth=on.bandwidth,
        publish=_PUBLISH * shape.parameters,
        start=_START[config.sampling.sampler] + _PROOF_START + _PROOF * shape.parameters,
    )
    return hours_by(config, shape, lengths, costs, at_limit=at_limit, kept=kept)


def hours_by(
    config: TrialConfig,
    shape: ModelShape,
    lengths: Lengths,
    costs: Costs,
    *,
    at_limit: float | None = None,
    kept: float = KEPT,
) -> Hours:
    """Return a trial's hours on a machine of known costs.

    Decoding is simulated step by step (`Engine`, `refill`): a sequence that ends gives its slot to
    the next one, problems are requested ahead by the fraction of groups that are kept, and a step's
    sampling ends with the last group of its batch. Training and the reading of prompts are FLOPs at
    the machine's rate; methods that scale every output move bytes besides. Groups whose rewards are
    equal are not trained where the algorithm gives them no advantage. Training follows sampling;
    verification takes no time of its own.

    Args:
        config: the trial.
        shape: the model's.
        lengths: mean tokens of prompts and completions.
        costs: the machine's.
        at_limit: the fraction of completions that reach the token limit; by default 0.12, or less
            where completions are short for it.
        kept: the fraction of groups whose rewards differ.

    Raises:
        InputError: no distribution of lengths has this mean and this fraction at the limit.
    """
    work = work_of(config, shape, lengths)
    mean, limit = lengths.completion, token_limit(config)
    drawn = LengthModel.of(mean, limit, at_limit or min(AT_LIMIT, mean / limit / 4))
    steps, generator = config.training.steps, fixed_generator()
    drawings, decoding = _simulate(config, costs.engine, drawn, lengths, kept, generator)
    prompts = _prompt_flops(config, work, lengths) * drawings
    trained = work.training_flops / costs.flops
    trained += _scaled_bytes(config, shape, lengths) / costs.bandwidth
    evaluation = _evaluation_seconds(config, costs.engine, drawn, lengths, generator)
    from_data = _start_seconds(config, costs.engine, drawn, lengths, generator)
    from_data += work.start_pass_flops / costs.flops
    return Hours(
        sampling=(steps * decoding + prompts / costs.flops) / 3600,
        training=_trained_fraction(config, kept) * trained / 3600,
        evaluation=evaluation / 3600,
        other=(costs.start + steps * costs.publish + from_data) / 3600,
    )


def _start_seconds(
    config: TrialConfig,
    engine: Engine,
    drawn: LengthModel,
    lengths: Lengths,
    generator: np.random.Generator,
) -> float:
    """Return the seconds of sampling the completions that a method starts from."""
    problems = start_problems(config)
    if not problems:
        return 0.0
    batch = drawn.draw(problems * config.sampling.group_size, generator)
    return engine.seconds(lengths.prompt, batch)


def _trained_fraction(config: TrialConfig, kept: float) -> float:
    """Return the fraction of a batch's groups that training passes through the model."""
    algorithm = load_plugin("algorithm", config.algorithm.name)(config.algorithm)
    if algorithm.sampling_rounds > 1:
        return 1.0
    size = config.sampling.group_size
    equal, mixed = [1.0] * size, [1.0] + [0.0] * (size - 1)
    trains_PG = algorithm.trains(algorithm.advantages(torch.tensor([equal, mixed])))
    return kept + (1 - kept) * float(trains_PG[0].any())


def engine_of(config: TrialConfig, shape: ModelShape, on: GPU) -> Engine:
    """Return what a decoding step of the trial's sampler costs on a GPU."""
    vllm, width = config.sampling.vllm, 2 if config.model.dtype == "bfloat16" else 4
    is_vllm = config.sampling.sampler == "vllm"
    floor = (_EAGER if vllm.enforce_eager else _GRAPHS) if is_vllm else _TRANSFORMERS
    linears = sum(i * o for i, o in shape.adapted(LINEARS))
    return Engine(
        floor=floor * shape.layers / _LAYERS,
        a_request=_A_REQUEST,
        weight_bytes=width * (linears + shape.vocabulary * shape.hidden),
        token_bytes=width * 2 * shape.layers * shape.kv_heads * shape.head_dim,
        bandwidth=on.bandwidth,
        slots=vllm.max_num_seqs if is_vllm else 256,
    )


def _simulate(
    config: TrialConfig,
    engine: Engine,
    drawn: LengthModel,
    lengths: Lengths,
    kept: float,
    generator: np.random.Generator,
) -> tuple[float, float]:
    """Return how many groups a step samples, as a multiple of its batch, and its seconds."""
    sampling = config.sampling
    algorithm = load_plugin("algorithm", config.algorithm.name)(config.algorithm)
    wanted, rounds = sampling.problems_per_step, algorithm.sampling_rounds
    kept = kept if rounds > 1 else 1.0
    groups, seconds = 0, 0.0
    for _ in range(_SIMULATED_STEPS):
        drawings = (
            (drawn.draw(sampling.group_size, generator), bool(generator.random() < kept))
            for _ in repeat(None)
        )
        made = refill(
            engine, lengths.prompt, drawings, wanted=wanted, most=wanted * rounds, kept=kept
        )
        groups, seconds = groups + made.groups, seconds + made.seconds
    return groups / _SIMULATED_STEPS / wanted, seconds / _SIMULATED_STEPS


def _prompt_flops(config: TrialConfig, work: Work, lengths: Lengths) -> float:
    """Return the FLOPs of reading the prompts of all steps, each once."""
    written = config.sampling.group_size * lengths.completion
    return work.sampling_flops * lengths.prompt / (lengths.prompt + written)


def _scaled_bytes(config: TrialConfig, shape: ModelShape, lengths: Lengths) -> float:
    """Return the bytes of moving the outputs that the method scales, in all steps."""
    outputs = create_method(config.method).kept_activations(shape) * shape.layers
    tokens = (
        config.training.steps * config.algorithm.inner_updates * trained_tokens(config, lengths)
    )
    return tokens * outputs * _SCALED_OUTPUT_BYTES


def _evaluation_seconds(
    config: TrialConfig,
    engine: Engine,
    drawn: LengthModel,
    lengths: Lengths,
    generator: np.random.Generator,
) -> float:
    """Return the seconds of sampling every bench before training and after, and one during it."""
    task, seconds = load_task(config.task), 0.0
    for bench in config.evaluation.benches:
        asked = bench_settings(task, bench, config)
        batch = drawn.draw(asked.problems * asked.samples, generator)
        seconds += 2 * engine.seconds(lengths.prompt, batch)
    if config.evaluation.every:
        asked = bench_settings(task, DURING, config)
        batch = drawn.draw(asked.problems * asked.samples, generator)
        times = config.training.steps // config.evaluation.every
        seconds += times * engine.seconds(lengths.prompt, batch)
    return seconds
