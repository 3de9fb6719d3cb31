"""The order of the files, the CPU seconds of each, and the folder of real problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"
"""Copies of sets, benches and verifier cases that maintainers keep beside the repository."""


@pytest.fixture(scope="session")
def data_dir() -> str:
    """The folder with the real training sets and benches, and the verifier's cases."""
    if not (DATA / "bench").is_dir():
        pytest.skip("the shared folder of training sets and benches is not here")
    return str(DATA)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--cpu`, which counts CPU seconds: unlike durations, they do not depend on the load."""
    parser.addoption("--cpu", action="store_true", help="print the CPU seconds of each test file")


def pytest_configure(config: pytest.Config) -> None:
    """Count CPU seconds where `--cpu` asks for them, in each worker and in the controller."""
    if config.getoption("--cpu"):
        config.pluginmanager.register(CpuSeconds())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files with most slow tests first, Ray's before all: none runs alone at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    longest = {item.path for item in items if item.get_closest_marker("xdist_group")}
    items.sort(key=lambda item: (item.path not in longest, -slow[item.path]))


class CpuSeconds:
    """The user and system time of a test, its fixtures and all its processes, summed by file."""

    def __init__(self) -> None:
        self._of_test: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        item.user_properties.append(("cpu_before", _cpu_seconds()))
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        try:
            return (yield)
        finally:
            item.user_properties.append(("cpu_after", _cpu_seconds()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            times = dict(report.user_properties)
            spent = float(times["cpu_after"]) - float(times["cpu_before"])  # type: ignore[arg-type]
            self._of_test[report.nodeid] += spent  # type: ignore[assignment]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        of_file: Counter[str] = Counter()
        for test, seconds in self._of_test.items():
            of_file[test.partition("::")[0]] += seconds  # type: ignore[assignment]
        terminalreporter.section(f"CPU seconds: {sum(of_file.values()):.0f} in all")
        for name, seconds in (*of_file.most_common(), *self._of_test.most_common(60)):
            terminalreporter.line(f"{seconds:8.1f} {name}")


def _cpu_seconds() -> float:
    """The time of this process, of those it started that live, and of those it waited for."""
    here = psutil.Process()
    total = 0.0
    for process in (here, *here.children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total
