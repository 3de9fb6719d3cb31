"""What a user probably meant by an unknown name: the end of an error message."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_KEYS = {
    "lr": "method.learning_rate",
    "learning_rate": "method.learning_rate",
    "r": "method.rank",
    "lora_r": "method.rank",
    "lora_rank": "method.rank",
    "rank": "method.rank",
    "alpha": "method.alpha",
    "lora_alpha": "method.alpha",
    "target_modules": "method.modules",
    "kl_coef": "algorithm.kl_coefficient",
    "kl_beta": "algorithm.kl_coefficient",
    "beta": "algorithm.kl_coefficient",
    "epsilon": "algorithm.clip_low",
    "epsilon_high": "algorithm.clip_high",
    "cliprange": "algorithm.clip_low",
    "clip_eps": "algorithm.clip_low",
    "clip_ratio": "algorithm.clip_low",
    "num_iterations": "algorithm.inner_updates",
    "ppo_epochs": "algorithm.inner_updates",
    "num_generations": "sampling.group_size",
    "rollout_n": "sampling.group_size",
    "batch_size": "sampling.problems_per_step",
    "train_batch_size": "sampling.problems_per_step",
    "per_device_train_batch_size": "sampling.problems_per_step",
    "max_tokens": "sampling.max_new_tokens",
    "max_completion_length": "sampling.max_new_tokens",
    "max_response_length": "sampling.max_new_tokens",
    "use_vllm": "sampling.sampler",
    "max_steps": "training.steps",
    "num_steps": "training.steps",
    "epochs": "training.steps",
    "num_train_epochs": "training.steps",
    "warmup_ratio": "training.warmup_steps",
    "gradient_accumulation_steps": "training.micro_batch_tokens",
    "adam_betas": "training.betas",
    "save_steps": "checkpoint.every",
    "bf16": "model.dtype",
    "load_in_4bit": "model.quantization",
    "torch_dtype": "model.dtype",
    "model_name": "model.name",
    "model_name_or_path": "model.name",
    "dataset": "task.name",
    "dataset_name": "task.name",
    "template": "task.template",
    "chat_template": "task.template",
    "answer_format": "task.answer_format",
    "reward_funcs": "task.reward",
    "gradient_checkpointing": "machine.gradient_checkpointing",
}
_OPTIMISERS = {"adam", "adamw", "optim", "optimizer", "optimiser"}


def meant_key(key: str, within: str = "") -> str:
    """Return the end of an error line about a key that has another name here, or nothing.

    Args:
        key: as written, with or without its section.
        within: what stands before a trial's keys there, such as "trial.".
    """
    word = key.rpartition(".")[2].lower().replace("-", "_")
    meant = "training.optimizer" if word in _OPTIMISERS else _KEYS.get(word)
    return f"; did you mean {within + meant!r}?" if meant and within + meant != key else ""


def nearest_plugin(name: str, known: Iterable[str]) -> str:
    """Return the end of an error line about a method, algorithm or task that is not offered.

    Args:
        name: as written.
        known: the names that are offered.
    """
    meant = {
        "lora+": "; did you mean 'lora-plus'?",
        "sft": "; this trains by RL: start from an adapter of fine-tuning by model.adapter",
        "qlora": "; it is 'lora' with model.quantization = \"nf4\"",
        "ppo": "; there is no value model here: use 'grpo'",
    }
    return meant.get(name.lower().replace("-", "")) or nearest(name, known)


def nearest(word: str, known: Iterable[str], section: str = "") -> str:
    """Return the end of an error line: the nearest known word of a section, or all of them."""
    known = sorted(known)
    if section and not known:
        return f"; {section[:-1]} has no setting but its name"
    meant = [name for name in known if _abbreviates(word, name)]
    same = [name for name in known if _letters(name) == _letters(word)]
    close = meant or same or get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {section + close[0]!r}?"
    return f"; known{f' in {section[:-1]}' if section else ''}: {', '.join(known)}"


def _letters(name: str) -> str:
    """Return a name without case, hyphens and underscores."""
    return name.lower().replace("-", "").replace("_", "")


def _abbreviates(word: str, name: str) -> bool:
    """Return whether a word ends with the initials of a name, as `method.lr` does."""
    (its, _, short), (section, _, whole) = word.rpartition("."), name.rpartition(".")
    initials = "".join(part[:1] for part in whole.split("_"))
    return its == section and len(short) > 1 and short == initials
