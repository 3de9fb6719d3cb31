"""One trial: the training loop, its batches and checkpoints."""

from verirank.training._logprobs import CompletionLogprobs
from verirank.training._train import BaseChangedError, train
from verirank.training._trainer import Step, Trainer
from verirank.training.micro_build import MICRO_STEPS, build_micro

__all__ = [
    "MICRO_STEPS",
    "BaseChangedError",
    "CompletionLogprobs",
    "Step",
    "Trainer",
    "build_micro",
    "train",
]
