"""The model card: what was trained how, what it scores, and how to load it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verirank.config import ModelConfig, TrialConfig, to_toml
from verirank.export._forms import Form
from verirank.models import BaseModel
from verirank.record import Run
from verirank.tasks import load_task

_BUILT_IN = ("micro", "smollm2")


def model_card(run: Run, form: Form, base: BaseModel) -> str:
    """Return the text of README.md: a YAML header for the Hub, then Markdown.

    Args:
        run: a finished run.
        form: in which its policy is shipped.
        base: the model that it was trained from.
    """
    config = run.config
    start = config.model.name + (f" with {config.model.adapter}" if config.model.adapter else "")
    title = f"# {start}, trained with {config.method.name} on {config.task.name}"
    sections = (
        _header(run, form),
        title,
        _WHAT[form].format(method=config.method.name, dtype=config.model.dtype) + _rounding(run),
        "## Scores",
        _scores(run),
        "## How to use it",
        _usage(config, form, base),
        "## How it was trained",
        _training(run),
        "## Provenance",
        _provenance(run.manifest),
    )
    return "\n\n".join(sections) + "\n"


_WHAT: dict[Form, str] = {
    "merged": (
        "A plain model: the base's weights with what `{method}` learned computed in fp32 and cast "
        "once to {dtype}. These are the weights that were scored below."
    ),
    "adapter": (
        "An adapter for [peft](https://github.com/huggingface/peft), in fp32, to be loaded on the "
        "untouched base. The scores below are those of the merged weights in {dtype}."
    ),
    "lora": (
        "A plain LoRA (`lora_A`, `lora_B`) with what `{method}` learned, in fp32, to be loaded on "
        "the untouched base; its scale is folded into `lora_B`, hence `lora_alpha` equals the "
        "rank. The scores below are those of the merged weights in {dtype}."
    ),
}


def _rounding(run: Run) -> str:
    """Return by how much the cast to bf16 rounds, of a run that was scored in it."""
    if run.config.model.dtype != "bfloat16":
        return ""
    changed = run.metrics()[-1]["served_changed_fraction"]
    return (
        " bfloat16 has 8 significant bits, so the cast rounds each weight by at most 0.2 % of its "
        f"size; after it {100 * changed:.1f} % of the weights that the method can change differ "
        "from the base's."
    )


def _header(run: Run, form: Form) -> str:
    config = run.config
    tags = ["verirank", "reinforcement-learning", "rlvr", config.method.name, config.algorithm.name]
    lines = [
        f"library_name: {'transformers' if form == 'merged' else 'peft'}",
        "pipeline_tag: text-generation",
        "tags:",
        *(f"- {tag}" for tag in tags),
    ]
    # The Hub knows no folder of this machine.
    if not Path(config.model.name).expanduser().is_dir():
        lines.insert(0, f"base_model: {json.dumps(config.model.name)}")
    return "\n".join(["---", *lines, "---"])


def _scores(run: Run) -> str:
    rows = [
        f"| {bench} | {s['base_avg_at_k']:.3f} | {s['avg_at_k']:.3f} | "
        f"{s['low']:.3f} to {s['high']:.3f} | {s['pass_at_k']:.3f} | {s['maj_at_k']:.3f} | "
        f"{s['k']} | {s['n']} | {s['temperature']:g} |"
        for bench, s in run.scores.items()
    ]
    header = (
        "| bench | Avg@k of the base | Avg@k | 95 % interval | Pass@k | maj@k | k | problems | T |"
    )
    return "\n".join(
        [
            "k samples a problem at the temperature T, one training seed. The interval is a "
            "bootstrap over problems and samples; it says nothing of other training seeds.",
            "",
            header,
            "|---|---:|---:|---|---:|---:|---:|---:|---:|",
            *rows,
        ]
    )


def _usage(config: TrialConfig, form: Form, base: BaseModel) -> str:
    """Return Python that loads the policy and completes the prompt of one evaluation problem."""
    task = load_task(config.task)
    problem = task.bench(config.evaluation.benches[0], 1)[0]
    limit = config.sampling.max_new_tokens or task.max_new_tokens
    lines = [
        *(_merged_code() if form == "merged" else _adapter_code(config.model)),
        "",
        f"prompt = {task.render(problem, base.tokenizer)!r}",
        'tokens = tokenizer(prompt, return_tensors="pt").input_ids',
        f"completion = model.generate(tokens, max_new_tokens={limit}, do_sample=True)",
        "print(tokenizer.decode(completion[0, tokens.shape[1] :], skip_special_tokens=True))",
    ]
    answer = f"The problem is one of the evaluation's; its answer is {problem.answer}."
    return "\n".join(["```python", *lines, "```", "", answer])


def _merged_code() -> list[str]:
    return [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'folder = "."  # where this file lies',
        "model = AutoModelForCausalLM.from_pretrained(folder)",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
    ]


def _adapter_code(model: ModelConfig) -> list[str]:
    others = {"revision": model.revision, "quantization": model.quantization}
    given = "".join(f", {key}={value!r}" for key, value in others.items() if value)
    # Over a base in 4 bits: another library may take other layers, or round otherwise.
    if model.name in _BUILT_IN or model.quantization:
        imports = ["import verirank"]
        load = [
            f"loaded = verirank.load_model({model.name!r}, dtype={model.dtype!r}{given})",
            "base, tokenizer = loaded.model, loaded.tokenizer",
        ]
    else:
        imports = ["from transformers import AutoModelForCausalLM, AutoTokenizer"]
        source = f"{model.name!r}{given}"
        load = [
            f"base = AutoModelForCausalLM.from_pretrained({source}, dtype={model.dtype!r})",
            f"tokenizer = AutoTokenizer.from_pretrained({source})",
        ]
    return [
        "from peft import PeftModel",
        *imports,
        "",
        'folder = "."  # where this file lies',
        *load,
        "model = PeftModel.from_pretrained(base, folder)",
    ]


def _training(run: Run) -> str:
    config, manifest = run.config, run.manifest
    sampling, training = config.sampling, config.training
    function = getattr(config.task, "reward", None)
    reward = (
        f"rewarded by the function `{function}`"
        if function
        else "reward 1 for a right final answer and else 0"
    )
    facts = (
        "Reinforcement learning with verifiable rewards by "
        f"{config.algorithm.name}: {training.steps} steps of {sampling.problems_per_step} problems "
        f"with {sampling.group_size} completions each, {reward}. "
        f"{manifest['trainable_parameters']:,} of {manifest['total_parameters']:,} parameters "
        f"were trained, with {training.optimizer} at a learning rate of "
        f"{manifest['learning_rate']:g}, in "
        f"{manifest['seconds']:.0f} seconds."
    )
    settings = f"```toml\n{to_toml(config)}```"
    if config.method.start:
        facts += (
            f" Training went on from the adapter {config.method.start}; what is called the base "
            "above is the model with this adapter."
        )
    return f"{facts} All settings; `verirank train` with this file repeats the run:\n\n{settings}"


def _provenance(manifest: dict[str, Any]) -> str:
    checks = manifest["conformance"]["checks"]
    passed = sum(check["passed"] for check in checks)
    packages = ", ".join(f"{name} {number}" for name, number in manifest["packages"].items())
    return "\n".join(
        [
            f"- Base weights, SHA-256: `{manifest['base_sha256']}` (unchanged by the run)",
            f"- Method proven before training: {passed} of {len(checks)} conformance checks passed",
            f"- Source revision: `{manifest['git']}`",
            f"- Packages: {packages}",
            f"- Trained: {manifest['created']}",
        ]
    )
