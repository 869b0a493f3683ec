"""A real PostgreSQL server, for the tests: in a folder of its own, on a free port of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

PASSWORD = "l3tmein-Sesame"  # noqa: S105 - of a server that lives as long as the tests
_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
    Path(found).parent for found in [shutil.which("initdb")] if found
]


@dataclass(frozen=True)
class Server:
    """A server that is running; connections by TCP need the password."""

    port: int

    def url(self, user: str = "clerk", password: str = PASSWORD, database: str = "crm") -> str:
        """Give the URL of a database for a user."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server with the user ``clerk`` and the database ``crm``, and stop it at the end.

    Without PostgreSQL's programs the test is skipped, but fails where CI is set: there they are installed.
    """
    if not _PROGRAMS:
        reason = "needs PostgreSQL's server programs (initdb, pg_ctl); apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True) as temporary:
        yield from _serve(_PROGRAMS[-1], Path(temporary))


def _serve(programs: Path, folder: Path) -> Iterator[Server]:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        shutil.chown(secret, "postgres")
    data, port = folder / "data", _free_port()
    initdb = ["--auth=scram-sha-256", "--username=clerk", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
    _run(programs / "initdb", "-D", data, *initdb)
    settings = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c timezone=America/New_York"
    _run(programs / "pg_ctl", "-D", data, "-o", settings, "-l", folder / "log", "-w", "start")
    try:
        connection = ("-h", "127.0.0.1", "-p", port, "-U", "clerk")
        _run(programs / "createdb", *connection, "crm", environment={"PGPASSWORD": PASSWORD})
        yield Server(port)
    finally:
        _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _run(*command: object, environment: Mapping[str, str] | None = None) -> None:
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*prefix, *map(str, command)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a server that inherits a pipe keeps it open
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, f"{command[0]} failed with {done.returncode}"


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
