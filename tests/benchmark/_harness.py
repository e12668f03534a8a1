# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmarks of pulls share: a real registry with images, a connection with a delay, and programs to measure."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gzip
import hashlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import psutil
import trustme

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

# Runs a module as Ansible does, with its options from the command line, and prints its peak memory at the end. The kernel's
# value for a child process would include the memory of its parent.
_MODULE = """
import atexit, json, re, sys
atexit.register(lambda: print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]))
from ansible.module_utils.testing import patch_module_args
from ansible_collections.cgr.pull_through.plugins.modules import registry_pull
with patch_module_args(json.loads(sys.argv[1])):
    registry_pull.main()
"""


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished program. processor, servers: seconds of processor time that it and the benchmark's servers used."""

    seconds: float
    processor: float
    servers: float
    output: str

    @property
    def memory(self) -> float:
        """The peak memory of a module in MiB."""
        return int(self.output.split()[-1]) / 1024

    @property
    def result(self) -> dict[str, t.Any]:
        """The result of a module."""
        return t.cast("dict[str, t.Any]", json.loads(self.output.rpartition("}")[0] + "}"))


def run(command: t.Sequence[str | Path]) -> Run:
    """Run a program and measure it. End the benchmark if it fails."""
    start, used, used_by_servers = time.monotonic(), _processor_seconds(), _server_seconds()
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{(process.stdout + process.stderr)[-2000:]}")
    return Run(seconds, _processor_seconds() - used, _server_seconds() - used_by_servers, process.stdout)


def _processor_seconds() -> float:
    """Return the processor time of all programs that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _server_seconds() -> float:
    """Return the processor time of the programs that still run: the registries and the delay."""
    usages = [server.cpu_times() for server in psutil.Process().children()]
    return float(sum(usage.user + usage.system for usage in usages))


def print_processor_time(name: str, runs: t.Sequence[Run]) -> None:
    """Print the median processor time of runs of a program, and the wall time that it needs at least on this machine."""
    program = statistics.median(run.processor for run in runs)
    servers = statistics.median(run.servers for run in runs)
    least = (program + servers) / (os.cpu_count() or 1)
    print(f"{name}: {program:.2f} s of processor time, and {servers:.2f} s of the servers: at least {least:.2f} s")


def registry_pull(**options: t.Any) -> Run:
    """Run the module registry_pull in a separate process."""
    return run([sys.executable, "-c", _MODULE, json.dumps(options)])


def find_program(name: str, flag: str = "--version") -> tuple[Path | None, str]:
    """Return the path of a program, and its name with the version; None and only the name if it is not installed.

    It is searched in the folders of the environment variable PEERS, and then on PATH.
    """
    path = shutil.which(name, path=os.pathsep.join(filter(None, (os.environ.get("PEERS"), os.environ["PATH"]))))
    if path is None:
        return None, name
    output = subprocess.run([path, flag], capture_output=True, text=True, check=False).stdout
    version = re.search(r"\d+\.\d[\w.+-]*", output)
    # Programs that a distribution builds do not always know their version.
    return Path(path), f"{name} {version[0] if version else _read_package_version(Path(path))}"


def _read_package_version(program: Path) -> str:
    """Return the version of the Debian package that a program was unpacked or installed from."""
    changelog = program.parents[1] / "share" / "doc" / program.name / "changelog.Debian.gz"
    if not changelog.exists():
        return "(version unknown)"
    with gzip.open(changelog, "rt", encoding="utf-8") as lines:
        return next(lines).partition("(")[2].partition(")")[0]


def find_free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Store:
    """The files of a docker-registry, written directly, since thousands of uploads take minutes."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "docker" / "registry" / "v2"

    def add_image(self, name: str, layers: t.Sequence[bytes]) -> None:
        """Add an index with an image for linux/amd64, tagged latest."""
        descriptors = [self._blob(name, LAYER, layer) for layer in layers]
        config = self._blob(name, CONFIG, json.dumps({"os": "linux", "architecture": "amd64", "n": name}).encode())
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors}
        entry = {**self._manifest(name, MANIFEST, document), "platform": {"os": "linux", "architecture": "amd64"}}
        root = self._manifest(name, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
        self._link(name, "_manifests/tags/latest/current", root["digest"])
        self._link(name, f"_manifests/tags/latest/index/sha256/{root['digest'][7:]}", root["digest"])

    def _manifest(self, name: str, media_type: str, document: t.Any) -> dict[str, t.Any]:
        descriptor = self._store(media_type, json.dumps(document).encode())
        self._link(name, f"_manifests/revisions/sha256/{descriptor['digest'][7:]}", descriptor["digest"])
        return descriptor

    def _blob(self, name: str, media_type: str, body: bytes) -> dict[str, t.Any]:
        descriptor = self._store(media_type, body)
        self._link(name, f"_layers/sha256/{descriptor['digest'][7:]}", descriptor["digest"])
        return descriptor

    def _store(self, media_type: str, body: bytes) -> dict[str, t.Any]:
        value = hashlib.sha256(body).hexdigest()
        self._write(self._root / "blobs" / "sha256" / value[:2] / value / "data", body)
        return {"mediaType": media_type, "digest": f"sha256:{value}", "size": len(body)}

    def _link(self, name: str, link: str, digest: str) -> None:
        self._write(self._root / "repositories" / name / link / "link", digest.encode())

    @staticmethod
    def _write(path: Path, body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


@contextlib.contextmanager
def create_memory_folder() -> t.Iterator[Path]:
    """Yield a temporary folder, in memory if the machine has /dev/shm."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=base) as name:
        yield Path(name)


def write_certificate(folder: Path) -> dict[str, str]:
    """Write a certificate for the loopback interface, and return the paths of the certificate, its key and its CA."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    paths = {name: str(folder / f"{name}.pem") for name in ("certificate", "key", "ca")}
    issued.private_key_pem.write_to_path(paths["key"])
    for part in issued.cert_chain_pems:
        part.write_to_path(paths["certificate"], append=True)
    authority.cert_pem.write_to_path(paths["ca"])
    return paths


@contextlib.contextmanager
def run_registry(storage: Path, tls: dict[str, str] | None = None) -> t.Iterator[str]:
    """Run docker-registry over a store, and yield its host and port."""
    host = f"127.0.0.1:{find_free_port()}"
    http: dict[str, t.Any] = {"addr": host}
    if tls:
        http["tls"] = {"certificate": tls["certificate"], "key": tls["key"]}
    log = {"level": "error", "accesslog": {"disabled": True}}
    files = {"filesystem": {"rootdirectory": str(storage), "maxthreads": 100}}
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
        json.dump({"version": "0.1", "log": log, "storage": files, "http": http}, config)
        config.flush()
        server = subprocess.Popen(
            ["docker-registry", "serve", config.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(host)
            yield host
        finally:
            server.terminate()
            server.wait()


def wait_for(host: str) -> None:
    """Wait until a server listens."""
    address, _colon, port = host.partition(":")
    for _attempt in range(200):
        with contextlib.suppress(OSError), socket.create_connection((address, int(port))):
            return
        time.sleep(0.05)
    sys.exit(f"no server listens on {host}")


@contextlib.contextmanager
def delay_connections(host: str, round_trip: float) -> t.Iterator[str]:
    """Run a proxy that adds half of the round trip in each direction, and yield its host and port."""
    near = f"127.0.0.1:{find_free_port()}"
    process = multiprocessing.Process(target=_serve, args=(near, host, round_trip / 2), daemon=True)
    process.start()
    try:
        wait_for(near)
        yield near
    finally:
        process.terminate()
        process.join()


def _serve(near: str, far: str, delay: float) -> None:
    asyncio.run(_serve_delayed(near, far, delay))


async def _serve_delayed(near: str, far: str, delay: float) -> None:
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Data that arrives during the delay is accepted, so the bandwidth is not limited.
        loop = asyncio.get_running_loop()
        while data := await reader.read(1 << 18):
            loop.call_later(delay, writer.write, data)
        loop.call_later(delay, writer.close)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*far.split(":"))
        with contextlib.suppress(OSError):
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    server = await asyncio.start_server(accept, *near.split(":"))
    await server.serve_forever()
