"""The log, installed for each test and taken away again."""

import pytest


@pytest.fixture(autouse=True)
def with_log(log: None) -> None:
    """Every test here has it."""
