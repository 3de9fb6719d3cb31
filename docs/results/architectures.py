"""Write docs/architectures.md: what each architecture of the tests trains by, and with what.

    python docs/results/architectures.py

Every method is attached to a tiny model with random weights of every architecture.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architectures.md"
_WINDOW = 64
"""Tokens that a window holds here: above the few of the probe."""
sys.path[:0] = [str(ROOT / "tests" / "models"), str(ROOT / "docs" / "results")]

HEAD = """# Architectures

Nearly any causal language model of transformers trains; one whose own forward or backward pass
fails (RWKV) is refused. Where VeriRank's kernels know the form of
attention and head, prompts are shared and nothing is padded (packed); any other model runs by
transformers' own forward pass, which is slower. A sliding window that no sequence of your problems
reaches is full attention. The methods are the thirteen that a study trains by default; what one
cannot adapt is refused in one line before anything runs.

All linear layers of a block are adapted by default, GPT-2's Conv1D and every expert of a mixture
among them; routers stay frozen, and so does `dt_proj` of Mamba and Jamba, whose weight these
models read without calling the layer. An expert is adapted like a linear layer of its own: with a
rank, magnitudes or factors of its own. `method.modules` takes names of layers, and behind a `!`
patterns of layers to leave out, matched against the path in the block:

```toml
[method]
name = "lora"
modules = ["!*experts*"]
```

Patterns alone leave layers out of what the method adapts by default, such as keys, values and the
feed-forward inputs of IA3. `"all-linear"` before them stands for all linear layers with any method.

Adapters over experts are exported for peft as a LoRA of its `target_parameters`, if their update
is of low rank; DoRA and IA3 over experts are exported as merged.

## Starting from an adapter

Two settings take the folder of an adapter for [peft](https://github.com/huggingface/peft), such as
one of supervised fine-tuning, or one that `verirank export RUN --to adapter` wrote:

- `model.adapter = "./sft"` merges it into the weights in fp32 when they are loaded. The result is
  the trial's base, on which any method trains anew.
- `method.start = "./sft"` trains this adapter on: its tensors are where the method starts, over
  the model without it. It must be of the method's kind and have its rank and layers; what differs
  is refused in one line. Another scale of a LoRA is folded into its B. Methods that take their
  start out of the base (PiSSA, MiLoRA, OLoRA, MiCA, RLPO, RLMO) and `full` cannot go on from one.
  The base that the trial is compared with, and that a KL penalty pulls towards, is the model with
  the adapter: `model.adapter` becomes the same folder, and the run's manifest, page and card say
  so. What is exported as an adapter stands on the model without it.

An exported adapter records the SHA-256 of the weights that it stands on (`verirank.json`); with
either setting, other weights are refused.

## A base in 4 bits

`model.quantization = "nf4"` holds the frozen linear layers of the blocks in 4 bits (QLoRA) by
bitsandbytes, on a CPU, too: `pip install 'verirank[four-bit]'`. Experts, Conv1D, embeddings and
head keep `model.dtype`. A folder that bitsandbytes stored in 4 bits loads as it is; any other
quantisation is refused.

The backward pass dequantises a weight once more instead of keeping it. Published are the
dequantised weights plus the update, computed out of place, in a plain model in `model.dtype`,
which the sampler holds as a whole: 4 bits save the memory of the base beside it, as `verirank
plan` counts. The base's recorded SHA-256 is that of the dequantised weights. Methods that add to a
weight or scale it train over such a base; `full`, PiSSA, MiLoRA and OLoRA, which need the base's
own weights, are refused, and so are vLLM and `method.start`. An adapter that was trained over 4
bits records it and is merged into no other base: export its run as merged.

## The list

This page is written by `python docs/results/architectures.py`, from the tiny configurations in
`tests/models/architectures.py`.

"""


def refusals(base: Any) -> dict[str, list[str]]:
    """Return the methods that cannot be attached, by the reason."""
    from verirank.config import CONTENDERS, InputError, resolve
    from verirank.methods import Policy

    refused: dict[str, list[str]] = {}
    for method in CONTENDERS:
        defaults = resolve({"method": {"name": method}}).method.model_dump()
        settings = {"rank": 4} if "rank" in defaults else {}
        config = resolve({"method": {"name": method, **settings}}).method
        try:
            Policy.create(base, config, seed=0, total_steps=3)
        except InputError as error:
            reason = re.split(r"; |\. |: \[PEFT", str(error).replace(f"method {method!r}", ""))[0]
            reason = reason.removeprefix(":").strip()
            refused.setdefault(reason, []).append(method)
    return refused


def rows() -> Iterator[tuple[str, ...]]:
    """Yield name, type, forward pass and methods of each architecture."""
    from architectures import MORE, TINY
    from test_architectures import tiny

    from verirank.config import CONTENDERS
    from verirank.models._form import why_untrainable

    for name, (kind, sizes) in (TINY | MORE).items():
        windowed = {"sliding_window": _WINDOW} if sizes.get("sliding_window") else {}
        base = tiny(name, **windowed)
        refused = refusals(base)
        why = None if base.form is None else why_untrainable(base.sharing_copy())
        if why is not None:
            yield name, f"`{kind}`", forward_pass(base), "refused: its own backward pass fails"
            continue
        count = len(CONTENDERS) - sum(map(len, refused.values()))
        said = [f"not {', '.join(methods)}: {reason}" for reason, methods in refused.items()]
        if any(place.experts > 1 for place in base.locations.values()):
            said.append("experts included")
        methods = "all" if count == len(CONTENDERS) else str(count)
        yield name, f"`{kind}`", forward_pass(base), "; ".join([methods, *said])


def forward_pass(base: Any) -> str:
    """Return by what a base is computed, and why."""
    if base.form is None:
        return "packed"
    if base.window and replace(base, longest=base.window).form is None:
        return "packed where no sequence reaches the window, else transformers"
    cache = "" if base.caches else ", without a cache"
    return f"transformers{cache} ({base.form})"


def main() -> None:
    """Write the page."""
    from tables import table

    body = table("architecture | type | forward pass | methods", rows())
    PAGE.write_text(HEAD + body + "\n", "utf-8")


if __name__ == "__main__":
    main()
