"""Real Spark, for the tests: in this process, or as a standalone cluster of two workers on loopback."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from house import ROOT

LOCAL = "local[2]"
# A virtual machine that lives for seconds spends them on compiling well what it runs once, a third of its time, and on
# verifying the classes that it loads, a fifth of the rest.
_SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
os.environ.setdefault("JDK_JAVA_OPTIONS", _SHORT_LIVED)
os.environ.setdefault("SPARK_CONF_DIR", str(Path(__file__).with_name("conf")))
_PATIENCE_SECONDS = 60


def require_spark() -> None:
    """Skip the test without pyspark or Java; it fails where CI is set: there they are installed."""
    missing = [
        needed
        for needed, is_there in {
            "pyspark (make spark)": importlib.util.find_spec("pyspark"),
            "Java 17 (apt-get install openjdk-17-jre-headless)": shutil.which("java"),
        }.items()
        if not is_there
    ]
    if missing:
        reason = f"needs {' and '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(frozen=True)
class Cluster:
    """A standalone cluster that is running."""

    master: str
    python: Path
    """The Python of its executors: it has what the project needs, but not the project."""
    workers: tuple[subprocess.Popen[bytes], ...]

    def executors(self) -> list[int]:
        """Give the process numbers of the executors that are at work."""
        return [child for worker in self.workers for child in _children(worker.pid)]


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a master and two workers of a core each, and stop them at the end."""
    require_spark()
    folder.mkdir()
    python = _bare_python(folder / "python")
    with ExitStack() as stack:
        port = free_port()
        master = f"spark://127.0.0.1:{port}"
        stack.enter_context(_daemon(folder, python, "master.Master", "--port", str(port)))
        _await_port(port)
        limits = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder))
        workers = [stack.enter_context(_daemon(folder, python, "worker.Worker", *limits, master)) for _ in range(2)]
        yield Cluster(master, python, tuple(workers))


@contextmanager
def _daemon(folder: Path, python: Path, name: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    home = Path(spec.submodule_search_locations[0])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"SPARK_HOME": str(home), "PYSPARK_PYTHON": str(python), "HOME": str(folder)}
    program = [
        str(home / "bin/spark-class"),
        f"org.apache.spark.deploy.{name}",
        "--host",
        "127.0.0.1",
        "--webui-port",
        "0",
    ]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*program, *options], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def _bare_python(target: Path) -> Path:
    """Write a program that is this Python with its packages, but without the checkout that it has on its path."""
    packages = [place for place in sys.path if place.endswith("site-packages")]
    target.write_text(
        f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{":".join(packages)}" exec {sys.executable} -S "$@"\n', encoding="utf-8"
    )
    target.chmod(0o755)
    seen = subprocess.run(
        [target, "-c", "import importlib.util as u; print(u.find_spec('pipeline'), bool(u.find_spec('numba')))"],
        cwd=target.parent, env={}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert seen == "None True\n", f"{seen}: the executors must not find {ROOT}"
    return target


def _children(process: int) -> list[int]:
    return [
        int(number)
        for path in Path(f"/proc/{process}/task").glob("*/children")
        for number in path.read_text(encoding="utf-8").split()
    ]


def free_port() -> int:
    """Find a port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _await_port(port: int) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"Spark's master did not open port {port}")
