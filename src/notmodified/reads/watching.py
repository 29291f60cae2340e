"""What code a response reaches, and whether what that depends on can be seen."""

import sys

if sys.version_info >= (3, 12):
    from notmodified.reads.monitoring import inspected, install
else:
    from notmodified.reads.profiling import inspected, install

__all__ = ["inspected", "install"]
