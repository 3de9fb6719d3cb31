"""One trial: the training loop, its batches, checkpoints and record on disk."""

from verirank.training._files import write_json, write_text
from verirank.training._run import Run
from verirank.training._train import BaseChangedError, train
from verirank.training._trainer import Step, Trainer
from verirank.training.micro_build import MICRO_STEPS, build_micro

__all__ = [
    "MICRO_STEPS",
    "BaseChangedError",
    "Run",
    "Step",
    "Trainer",
    "build_micro",
    "train",
    "write_json",
    "write_text",
]
