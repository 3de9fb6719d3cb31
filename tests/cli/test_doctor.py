"""`verirank doctor`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
from click.testing import CliRunner

from verirank.cli.doctor_command import SMOLLM2_INSTALL, command, gpu_finding
from verirank.models._smollm2 import INSTALL


def findings(**environment: str) -> dict[str, dict[str, Any]]:
    done = CliRunner(env=environment).invoke(command, ["--json"])
    assert done.exit_code == 0, done.output
    return {finding["name"]: finding for finding in json.loads(done.stdout)}


def test_doctor_finds_the_system_the_packages_and_the_accelerator() -> None:
    names = set(findings())
    assert {"python", "system", "cpu", "memory", "disk", "threads", "gpu"} <= names
    assert {"torch", "transformers", "peft", "math-verify", "vllm", "smollm2"} <= names


def test_doctor_gives_the_installed_versions() -> None:
    assert findings()["torch"]["value"] == version("torch")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's core affinity")
def test_doctor_counts_only_the_cores_this_process_may_use() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert f"1 of {os.cpu_count()} cores usable" in findings()["cpu"]["value"]
    finally:
        os.sched_setaffinity(0, before)


def test_doctor_warns_of_more_threads_than_cores() -> None:
    threads = findings(OMP_NUM_THREADS="9999")["threads"]
    assert threads["status"] == "warn"
    assert "OMP_NUM_THREADS" in threads["advice"]


def test_doctor_tells_of_threads_that_spin_only_where_the_user_asked_for_them() -> None:
    assert "unset OMP_WAIT_POLICY" in findings(OMP_WAIT_POLICY="active")["threads"]["advice"]
    quiet = findings(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", KMP_BLOCKTIME="0")["threads"]
    assert quiet["value"] == "OMP_NUM_THREADS=1, OMP_WAIT_POLICY=passive, KMP_BLOCKTIME=0"
    assert "hold for `verirank train`" in quiet["advice"]


@pytest.mark.skipif(sys.platform != "linux", reason="asks GNU's library of threads")
@pytest.mark.parametrize(("own", "spins"), [(None, False), ("active", True)])
def test_a_commands_threads_wait_without_spinning_unless_the_user_says_otherwise(
    own: str | None, spins: bool
) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_"))}
    environment |= {"OMP_DISPLAY_ENV": "verbose"} | ({"OMP_WAIT_POLICY": own} if own else {})
    # What torch's library of threads says that it read when it was loaded.
    done = subprocess.run(
        [sys.executable, "-m", "verirank", "doctor"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (count,) = re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)
    assert (int(count) > 0) is spins


def test_every_warning_says_what_to_do() -> None:
    warnings = [f for f in findings(OMP_NUM_THREADS="9999").values() if f["status"] == "warn"]
    assert warnings
    assert all(finding["advice"] for finding in warnings)


def test_without_json_a_line_stands_for_every_finding() -> None:
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 0
    assert all(name in done.stdout for name in findings())


def test_doctor_names_the_install_line_that_loading_smollm2_names() -> None:
    assert SMOLLM2_INSTALL == INSTALL


def test_doctor_says_that_nobody_has_tested_several_gpus() -> None:
    one, two = gpu_finding(["Some GPU (80 GiB)"]), gpu_finding(["Some GPU (80 GiB)"] * 2)
    assert (one.status, one.value) == ("ok", "Some GPU (80 GiB)")
    assert (two.status, two.value) == ("warn", "Some GPU (80 GiB), Some GPU (80 GiB)")
    assert "not tested" not in one.advice and "not tested" in two.advice
