"""What a trial will need before it is run: tokens, FLOPs, memory and hours, from shapes alone."""

from verirank.planning._gpus import GPU, UTILISATION, gpu, gpus
from verirank.planning._memory import HEAD_ROWS, Memory, memory_of
from verirank.planning._work import (
    PROMPT_TOKENS,
    Lengths,
    Work,
    token_limit,
    usual_lengths,
    work_of,
)

__all__ = [
    "GPU",
    "HEAD_ROWS",
    "PROMPT_TOKENS",
    "UTILISATION",
    "Lengths",
    "Memory",
    "Work",
    "gpu",
    "gpus",
    "memory_of",
    "token_limit",
    "usual_lengths",
    "work_of",
]
