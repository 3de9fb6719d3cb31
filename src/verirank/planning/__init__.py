"""What a trial will need before it is run: tokens, FLOPs, memory and hours, from shapes alone."""

from verirank.planning._gpus import GPU, gpu, gpus
from verirank.planning._memory import Memory, memory_of
from verirank.planning._work import Lengths, Work, work_of

__all__ = ["GPU", "Lengths", "Memory", "Work", "gpu", "gpus", "memory_of", "work_of"]
