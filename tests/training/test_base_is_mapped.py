"""Processes that load the same base share its pages: weights in the file's dtype are mapped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CHILD = """
import sys
from pathlib import Path
from verirank.config import ModelConfig
from verirank.models import load_base

def dirty():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(l.split()[1]) for l in lines if l.startswith("Private_Dirty:")) * 1024

load_base(ModelConfig())
before = dirty()
base = load_base(ModelConfig(name=sys.argv[1]))
base.fingerprint()
print(dirty() - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").is_file(), reason="only Linux tells which pages are private"
)
def test_a_loaded_base_takes_no_memory_of_its_own(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    from verirank.config import ModelConfig
    from verirank.models import load_base

    shape = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 6}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=64, num_attention_heads=8, **shape))
    model.save_pretrained(tmp_path)
    with (tmp_path / "model.safetensors").open("rb") as weights:
        os.fsync(weights)  # a mapped page counts as written to until its file is on disk
    tokenizer = AutoTokenizer.from_pretrained(load_base(ModelConfig()).source)
    tokenizer.save_pretrained(tmp_path)
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    command = [sys.executable, "-W", "ignore", "-c", _CHILD, str(tmp_path)]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert size > 80e6
    assert grown < 0.3 * size
