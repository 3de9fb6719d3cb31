"""Settings: frozen, torch-free descriptions of trials, resolved from TOML, presets and options."""

from verirank.config._plugins import expect_plugin, load_plugin, nearest, plugin_names
from verirank.config.cache_folder import cache_folder
from verirank.config.errors import InputError, RunFailedError, SaidByFirstError
from verirank.config.hub_errors import first_line, may_answer_later, why_refused
from verirank.config.json_lines import read_json_lines
from verirank.config.learning_rates import learning_rate_of, learning_rates
from verirank.config.resolve import (
    by_dotted_key,
    expect_settings,
    first_error,
    override,
    preset_names,
    read_settings,
    resolve,
    to_toml,
)
from verirank.config.trial import (
    AlgorithmConfig,
    CheckpointConfig,
    EvaluationConfig,
    MachineConfig,
    MethodConfig,
    ModelConfig,
    SamplingConfig,
    Section,
    TaskConfig,
    TrainingConfig,
    TrialConfig,
    VerifierConfig,
    VLLMConfig,
)

__all__ = [
    "AlgorithmConfig",
    "CheckpointConfig",
    "EvaluationConfig",
    "InputError",
    "MachineConfig",
    "MethodConfig",
    "ModelConfig",
    "RunFailedError",
    "SaidByFirstError",
    "SamplingConfig",
    "Section",
    "TaskConfig",
    "TrainingConfig",
    "TrialConfig",
    "VLLMConfig",
    "VerifierConfig",
    "by_dotted_key",
    "cache_folder",
    "expect_plugin",
    "expect_settings",
    "first_error",
    "first_line",
    "learning_rate_of",
    "learning_rates",
    "load_plugin",
    "may_answer_later",
    "nearest",
    "override",
    "plugin_names",
    "preset_names",
    "read_json_lines",
    "read_settings",
    "resolve",
    "to_toml",
    "why_refused",
]
