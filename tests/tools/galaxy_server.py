# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server with the API of Galaxy on this machine: Pulp with its plugin for Ansible, and PostgreSQL. Both end with the block."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import typing as t
import urllib.request
from pathlib import Path

START_TIMEOUT = 300  # seconds
USER = "admin"
_DISTRIBUTION = "published"

Json = dict[str, t.Any]


class GalaxyServer:
    """The address of a server, and the password of its administrator."""

    def __init__(self, port: int, password: str) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.password = password
        self.url = f"{self.origin}/pulp_ansible/galaxy/{_DISTRIBUTION}/api/"

    def call(self, path: str, content: Json | None = None) -> Json:
        """Return the response to a GET, or to a POST of JSON. Raises OSError."""
        login = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.origin}/pulp/api/v3/{path}",
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return t.cast(Json, json.load(response))

    def wait(self) -> None:
        """Return when the server and its worker are ready. Raises TimeoutError."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                status = self.call("status/")
                if status["online_workers"] and status["online_content_apps"]:
                    return
            time.sleep(0.5)
        raise TimeoutError("The Galaxy server did not start. Its output is above.")

    def create_distribution(self) -> None:
        """Create the repository to which collections are published."""
        repository = self.call("repositories/ansible/ansible/", {"name": _DISTRIBUTION})["pulp_href"]
        self.call(
            "distributions/ansible/ansible/",
            {"name": _DISTRIBUTION, "base_path": _DISTRIBUTION, "repository": repository},
        )


@contextlib.contextmanager
def started(programs: Path, folder: Path) -> t.Iterator[GalaxyServer]:
    """Start a server with its files in an empty folder. programs: the folder of pulpcore-manager."""
    folder.chmod(0o755)
    api_port, content_port = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_started_database(folder / "database"))
        path = os.pathsep.join(
            [str(programs), *os.get_exec_path()]
        )  # galaxy-importer runs ansible-doc and ansible-lint
        environment = {**write_settings(folder, api_port, content_port), "PATH": path}
        server = GalaxyServer(api_port, secrets.token_hex(16))
        for arguments in (("migrate", "--noinput"), ("reset-admin-password", "--password", server.password)):
            subprocess.run(
                [programs / "pulpcore-manager", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
            )
        for command in (
            ("pulpcore-api", "--bind", f"127.0.0.1:{api_port}"),
            ("pulpcore-content", "--bind", f"127.0.0.1:{content_port}"),
            ("pulpcore-worker",),
        ):
            stack.enter_context(running([programs / command[0], *command[1:]], folder, env=environment))
        server.wait()
        server.create_distribution()
        yield server


def write_settings(folder: Path, api_port: int, content_port: int) -> dict[str, str]:
    """Write the settings of Pulp and its key. Return the environment of its programs."""
    key, file = folder / "key", folder / "settings.py"
    key.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(), encoding="ascii")
    for name in ("media", "static", "work", "upload"):
        (folder / name).mkdir()
    content = f"http://127.0.0.1:{content_port}"
    settings: Json = {
        "SECRET_KEY": secrets.token_hex(32),
        "DB_ENCRYPTION_KEY": str(key),
        "DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql", **_database(folder / "database")}},
        "CONTENT_ORIGIN": content,
        "ANSIBLE_API_HOSTNAME": f"http://127.0.0.1:{api_port}",
        "ANSIBLE_CONTENT_HOSTNAME": f"{content}/pulp/content",
        "DEPLOY_ROOT": str(folder),
        "MEDIA_ROOT": str(folder / "media"),
        "STATIC_ROOT": str(folder / "static"),
        "WORKING_DIRECTORY": str(folder / "work"),
        "FILE_UPLOAD_TEMP_DIR": str(folder / "upload"),
        "CACHE_ENABLED": False,
        "TOKEN_AUTH_DISABLED": True,
        "ANALYTICS": False,  # else Pulp reports itself to its makers
    }
    file.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()), encoding="utf-8")
    variables = {"PULP_SETTINGS": str(file), "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings", "HOME": str(folder)}
    return {**os.environ, **variables}


def _database(socket_folder: Path) -> Json:
    return {"NAME": "postgres", "USER": "postgres", "HOST": str(socket_folder)}


@contextlib.contextmanager
def _started_database(folder: Path) -> t.Iterator[None]:
    """Start PostgreSQL, which only its socket in the folder reaches. Root runs it as the user of Debian's package."""
    programs = postgresql_programs()
    user = "postgres" if os.geteuid() == 0 else None
    folder.mkdir()
    if user:
        shutil.chown(folder, user)
    options: list[str | Path] = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    subprocess.run(
        [programs / "initdb", *options, folder / "data"], user=user, check=True, stdout=subprocess.DEVNULL, cwd="/"
    )
    settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off"]
    command: list[str | Path] = [
        programs / "postgres",
        "-D",
        folder / "data",
        *(f"--{setting}" for setting in settings),
    ]
    with running(command, folder.parent, user=user):
        ready: list[str | Path] = [
            programs / "pg_isready",
            "--quiet",
            f"--host={folder}",
            "--username=postgres",
            f"--timeout={START_TIMEOUT}",
        ]
        while subprocess.run(ready, check=False).returncode != 0:
            time.sleep(0.2)
        yield


@contextlib.contextmanager
def running(command: list[str | Path], folder: Path, **options: t.Any) -> t.Iterator[None]:
    """Run a program in a folder. The end of its output is printed if the block fails, and it ends with the block."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        with subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, **options) as process:
            try:
                yield
            except BaseException:
                print(log.read_text(encoding="utf-8", errors="replace")[-2000:], flush=True)
                raise
            finally:
                process.terminate()


def postgresql_programs() -> Path:
    """Return the folder of PostgreSQL's programs, which Debian does not add to PATH. Raises FileNotFoundError."""
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, os.get_exec_path())]
    for folder in folders:
        if (folder / "initdb").exists():
            return folder
    raise FileNotFoundError("PostgreSQL is not installed. On Debian and Ubuntu: apt install postgresql")


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
