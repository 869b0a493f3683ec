"""Which tests one worker of pytest-xdist runs: whole files, and all that shares a session with Spark.

To start one, with a virtual machine and Python workers, takes as long as twenty of those tests.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

ON_SPARK = "spark"
"""The parameter of the fixture ``executor``, as it stands in the names of tests."""
_SHARING = tuple(f"tests/spark/test_{name}.py" for name in ("bits", "ingest_on_spark", "stages", "stretches"))


class OneSession(LoadFileScheduling):  # type: ignore[misc] # pytest-xdist tells no types
    """Deals out files, but for tests that share a session."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return ON_SPARK if shares_a_session(nodeid) else file


def shares_a_session(test: str) -> bool:
    """Tell whether a test, by its name, asks the session of the process that runs it.

    >>> names = ["tests/spark/test_bits.py::test_a", "tests/b.py::test_b[kernel-spark]", "tests/b.py::test_b[local]"]
    >>> [shares_a_session(name) for name in names]
    [True, True, False]
    """
    parameters = test.partition("[")[2].removesuffix("]").split("-")
    return test.startswith(_SHARING) or ON_SPARK in parameters
