"""`model.dtype` of auto becomes what the machine computes natively."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verirank.config import native_dtype, read_settings, resolve, to_toml


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def of_capability(*capabilities: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text("#!/bin/sh\n" + "".join(f"echo {c}\n" for c in capabilities))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        native_dtype.cache_clear()

    yield of_capability
    native_dtype.cache_clear()


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [(("9.0",), "bfloat16"), (("7.5",), "float32"), (("8.0", "7.0"), "float32")],
)
def test_a_gpu_has_bf16_from_its_capability_on(gpu, capabilities, dtype) -> None:
    gpu(*capabilities)
    assert resolve({"model": {"dtype": "auto"}}).model.dtype == dtype


def test_a_cpu_has_bf16_by_its_instructions() -> None:
    native_dtype.cache_clear()
    info = Path("/proc/cpuinfo")
    flags = info.read_text("utf-8").split() if info.is_file() else []
    has_bf16 = {"avx512_bf16", "amx_bf16", "bf16"} & set(flags)
    assert native_dtype("cpu") == ("bfloat16" if has_bf16 else "float32")
    assert native_dtype("mps") == "float32"


def test_the_device_that_a_trial_asks_for_decides(gpu) -> None:
    gpu("7.5")
    settings = {"model": {"dtype": "auto"}, "machine": {"device": "cpu"}}
    assert resolve(settings).model.dtype == native_dtype("cpu")


def test_a_trial_is_named_by_what_auto_became() -> None:
    preset = resolve(read_settings("quickstart-smollm2"))
    said = resolve({**read_settings("quickstart-smollm2"), "model": preset.model.model_dump()})
    assert preset.identity() == said.identity()
    assert f'dtype = "{native_dtype("auto")}"' in to_toml(preset)
