from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared/data"


@pytest.fixture(scope="session")
def data_dir() -> str:
    """The folder with the real training sets and benches."""
    if not (DATA / "bench").is_dir():
        pytest.skip("the shared folder of training sets and benches is not here")
    return str(DATA)
