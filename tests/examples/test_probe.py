"""The probe finds nothing against the example site, whatever validator a page has."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tour.browser import Browser

WAYS = ["content", "field", "token", "table"]
PATHS = [
    *(f"/api/{how}/colours/" for how in [*WAYS, "combined"]),
    *(f"/d/{how}/ada/studio/" for how in WAYS),
]


@pytest.mark.parametrize("path", PATHS)
def test_no_rule_is_broken(address: str, path: str) -> None:
    Browser(address).warm(path)
    command = [sys.executable, "-m", "notmodified.conformance", address + path]
    probed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert probed.returncode == 0, probed.stdout + probed.stderr
    # Otherwise nothing has been judged.
    assert re.search(r"^C18 +pass", probed.stdout, re.MULTILINE), probed.stdout
