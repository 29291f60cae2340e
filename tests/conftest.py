"""What every test starts with."""

import pytest

from notmodified.records.headers import MEMORY


@pytest.fixture(autouse=True)
def fresh_memory() -> None:
    """No test remembers the headers of another one's pages."""
    MEMORY.forget()
