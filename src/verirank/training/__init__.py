"""One trial: the training loop, its batches and checkpoints."""

from verirank.training._batch import Siblings, micro_batches, pack, prepare
from verirank.training._logprobs import CompletionLogprobs, PackingIgnoredError
from verirank.training._metrics import Clock, sampling_metrics
from verirank.training._refill import Grader, Intake, KeepRate, Refill, StepAbandonedError
from verirank.training._rewards import Rewards, rewards_of
from verirank.training._schedule import rate_factor
from verirank.training._start_completions import StartCompletions
from verirank.training._train import BaseChangedError, train
from verirank.training._trainer import SamplerDriftError, Step, Trainer
from verirank.training.micro_build import MICRO_STEPS, build_micro

__all__ = [
    "MICRO_STEPS",
    "BaseChangedError",
    "Clock",
    "CompletionLogprobs",
    "Grader",
    "Intake",
    "KeepRate",
    "PackingIgnoredError",
    "Refill",
    "Rewards",
    "SamplerDriftError",
    "Siblings",
    "StartCompletions",
    "Step",
    "StepAbandonedError",
    "Trainer",
    "build_micro",
    "micro_batches",
    "pack",
    "prepare",
    "rate_factor",
    "rewards_of",
    "sampling_metrics",
    "train",
]
