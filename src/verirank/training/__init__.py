"""One trial: the training loop, its batches, checkpoints and record on disk."""

from verirank.training._files import write_json, write_text
from verirank.training._run import Run
from verirank.training._train import BaseChangedError, train
from verirank.training._trainer import Step, Trainer

__all__ = ["BaseChangedError", "Run", "Step", "Trainer", "train", "write_json", "write_text"]
