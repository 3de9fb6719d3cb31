"""Studies on a real Ray cluster of two nodes on this machine, one of which dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from study_scores import scores

from verirank.config import InputError
from verirank.study import LocalExecutor, RayExecutor, Study, resume_study, run_study, study_status

ray = pytest.importorskip("ray", reason="Ray is an extra: make ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def head() -> Iterator[Any]:
    """A cluster of a head node, on which nothing runs."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Ray's workers let everybody else go first, the tests beside these among them.
        patch.setenv("RAY_worker_niceness", "0")
        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False},
        )
        yield made
        made.shutdown()


@pytest.fixture
def cluster(head: Any) -> Iterator[Any]:
    """The cluster without the nodes that other tests added."""
    before = set(head.worker_nodes)
    yield head
    ray.shutdown()
    for node in set(head.worker_nodes) - before:
        head.remove_node(node, allow_graceful=False)


def test_a_node_dies_while_its_trial_runs_and_the_answer_is_the_local_one(
    tmp_path: Path, cluster: Any, long_study: Study, undisturbed: dict[str, str]
) -> None:
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    out = tmp_path / "ray"
    killed: list[bool] = []

    def kill_a_node() -> None:
        files = list(out.glob("trials/*/metrics.jsonl"))
        if not killed and len(files) == 2 and all(f.read_text().count("\n") > 1 for f in files):
            killed.append(True)
            cluster.remove_node(nodes[0], allow_graceful=False)
            cluster.add_node(num_cpus=1)

    executor = RayExecutor(cluster.address)
    outcomes = run_study(long_study, out, executor=executor, on_poll=kill_a_node)
    assert killed
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert scores(out) == undisturbed


def test_a_failed_trial_is_told_and_the_others_go_on(
    tmp_path: Path, cluster: Any, small_study: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.add_node(num_cpus=2, num_gpus=1)
    study = small_study("full", steps=3, axes={"method.learning_rate": [1e-3, 1e30]})
    remote = run_study(study, tmp_path / "ray", executor=RayExecutor(cluster.address))
    local = run_study(study, tmp_path / "local")
    assert [outcome.error for outcome in remote] == [outcome.error for outcome in local]
    assert [outcome.error is None for outcome in remote] == [True, False]
    assert capsys.readouterr().err.count("with --gpus 1 each does") == 1


@pytest.mark.thorough
def test_two_hundred_small_trials_end_as_they_do_on_one_machine(
    tmp_path: Path, cluster: Any, small_study: Any
) -> None:
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    trial = {
        "training": {"steps": 1},
        "sampling": {"problems_per_step": 1, "group_size": 2, "max_new_tokens": 4},
        "evaluation": {"benches": ["test"], "problems": 2, "samples": 1},
        "machine": {"train_without_signal": True},  # no sum is solved in 4 tokens
    }
    study = small_study("ia3", "ln-tuning", trial=trial, seeds=list(range(100)))
    outcomes = run_study(study, tmp_path / "ray", executor=RayExecutor(cluster.address))
    assert [outcome.error for outcome in outcomes] == [None] * 200
    few = small_study("ia3", "ln-tuning", trial=trial, seeds=[0, 50, 99])
    run_study(few, tmp_path / "local", executor=LocalExecutor(2))
    local, remote = scores(tmp_path / "local"), scores(tmp_path / "ray")
    assert len(remote) == 200
    assert local == {name: remote[name] for name in local}


def test_a_study_goes_on_to_the_same_scores_after_ctrl_c_and_after_a_trial_that_hung(
    tmp_path: Path, cluster: Any, small_study: Any, undisturbed: dict[str, str]
) -> None:
    cluster.add_node(num_cpus=1)
    study, executor = small_study("lora", steps=30), RayExecutor(cluster.address)

    def ctrl_c() -> None:
        if any(f.read_text().count("\n") > 1 for f in out.glob("trials/*/metrics.jsonl")):
            signal.raise_signal(signal.SIGINT)

    for attempt in range(4):  # a busy machine may look at the trial only when it is over
        out = tmp_path / f"ray-{attempt}"
        try:
            run_study(study, out, executor=executor, on_poll=ctrl_c)
        except KeyboardInterrupt:
            break
    assert [entry.state for entry in study_status(out).trials] == ["stopped"]

    (state,) = out.glob("trials/*/checkpoints/*/policy.safetensors")
    kept = state.read_bytes()
    state.unlink()
    os.mkfifo(state)  # whoever reads it waits for ever, as on a disk that no longer answers
    impatient = RayExecutor(cluster.address, stall_seconds=5)
    (hung,) = resume_study(out, executor=impatient)
    assert str(hung.error).startswith("hung: it wrote nothing for too long")

    state.unlink()
    state.write_bytes(kept)
    (outcome,) = resume_study(out, executor=executor)
    assert outcome.error is None
    assert scores(out).items() <= undisturbed.items()


def test_no_cluster_is_one_line(tmp_path: Path, small_study: Any) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with pytest.raises(InputError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        run_study(small_study("ia3"), tmp_path / "s", executor=RayExecutor("127.0.0.1:1"))
    for address in ("nonsense", "ray://127.0.0.1:1"):
        with pytest.raises(InputError, match=f"no Ray cluster at {address!r}"):
            run_study(small_study("ia3"), tmp_path / "s", executor=RayExecutor(address))
