# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmarks of pulls stand on: a real registry with images, a line with delay, and programs that are measured."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import trustme

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

# Runs a module as Ansible does, with its options from the command line, and tells its memory at the end: what the kernel
# tells a parent of its child begins with the parent's own.
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
    """A program that ran to its end."""

    seconds: float
    output: str

    @property
    def memory(self) -> float:
        """The most memory that a module had, in MiB."""
        return int(self.output.split()[-1]) / 1024

    @property
    def result(self) -> dict[str, t.Any]:
        """What a module returned."""
        return t.cast("dict[str, t.Any]", json.loads(self.output.rpartition("}")[0] + "}"))


def run(command: t.Sequence[str | Path]) -> Run:
    """Run a program and measure it; end the benchmark when it fails."""
    begun = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return Run(seconds, done.stdout)


def registry_pull(**options: t.Any) -> Run:
    """Run the module registry_pull as a process of its own."""
    return run([sys.executable, "-c", _MODULE, json.dumps(options)])


def program(name: str, flag: str = "--version") -> tuple[Path | None, str]:
    """Return the path of a program and its version; None and why where it is missing."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:{Path.home() / 'go/bin'}")
    if found is None:
        return None, f"{name} is not installed"
    told = subprocess.run([found, flag], capture_output=True, text=True, check=True).stdout
    return Path(found), " ".join(told.splitlines()[0].split()[:3])


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Store:
    """The files of a docker-registry, written as it would, since thousands of uploads take minutes."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "docker" / "registry" / "v2"

    def add_image(self, name: str, layers: t.Sequence[bytes]) -> None:
        """Hold an image for linux/amd64 as latest, in an index."""
        described = [self._blob(name, LAYER, layer) for layer in layers]
        config = self._blob(name, CONFIG, json.dumps({"os": "linux", "architecture": "amd64", "n": name}).encode())
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": described}
        entry = {**self._manifest(name, MANIFEST, document), "platform": {"os": "linux", "architecture": "amd64"}}
        root = self._manifest(name, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
        self._link(name, "_manifests/tags/latest/current", root["digest"])
        self._link(name, f"_manifests/tags/latest/index/sha256/{root['digest'][7:]}", root["digest"])

    def _manifest(self, name: str, media_type: str, document: t.Any) -> dict[str, t.Any]:
        held = self._hold(media_type, json.dumps(document).encode())
        self._link(name, f"_manifests/revisions/sha256/{held['digest'][7:]}", held["digest"])
        return held

    def _blob(self, name: str, media_type: str, body: bytes) -> dict[str, t.Any]:
        held = self._hold(media_type, body)
        self._link(name, f"_layers/sha256/{held['digest'][7:]}", held["digest"])
        return held

    def _hold(self, media_type: str, body: bytes) -> dict[str, t.Any]:
        value = hashlib.sha256(body).hexdigest()
        self._write(self._root / "blobs" / "sha256" / value[:2] / value / "data", body)
        return {"mediaType": media_type, "digest": f"sha256:{value}", "size": len(body)}

    def _link(self, name: str, place: str, digest: str) -> None:
        self._write(self._root / "repositories" / name / place / "link", digest.encode())

    @staticmethod
    def _write(path: Path, body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


@contextlib.contextmanager
def memory() -> t.Iterator[Path]:
    """Yield a folder in memory, where there is such a file system."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=base) as name:
        yield Path(name)


def certificate(folder: Path) -> dict[str, str]:
    """Write a certificate for the loopback interface, and return the paths of it, its key and its CA."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    paths = {name: str(folder / f"{name}.pem") for name in ("certificate", "key", "ca")}
    issued.private_key_pem.write_to_path(paths["key"])
    for part in issued.cert_chain_pems:
        part.write_to_path(paths["certificate"], append=True)
    authority.cert_pem.write_to_path(paths["ca"])
    return paths


@contextlib.contextmanager
def registry(storage: Path, tls: dict[str, str] | None = None) -> t.Iterator[str]:
    """Run docker-registry over a store, and yield its host and port."""
    host = f"127.0.0.1:{free_port()}"
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
    """Wait until somebody listens."""
    address, _colon, port = host.partition(":")
    for _look in range(200):
        with contextlib.suppress(OSError), socket.create_connection((address, int(port))):
            return
        time.sleep(0.05)
    sys.exit(f"nobody listens on {host}")


@contextlib.contextmanager
def delayed(host: str, round_trip: float) -> t.Iterator[str]:
    """Run a line to a host that takes time, half of the round trip in each direction, and yield where it begins."""
    near = f"127.0.0.1:{free_port()}"
    process = multiprocessing.Process(target=_serve, args=(near, host, round_trip / 2), daemon=True)
    process.start()
    try:
        wait_for(near)
        yield near
    finally:
        process.terminate()
        process.join()


def _serve(near: str, far: str, delay: float) -> None:
    asyncio.run(_line(near, far, delay))


async def _line(near: str, far: str, delay: float) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What arrives is sent on after a while, and meanwhile more is taken in: delay, and no limit of what fits.
        loop = asyncio.get_running_loop()
        while data := await reader.read(1 << 18):
            loop.call_later(delay, writer.write, data)
        loop.call_later(delay, writer.close)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*far.split(":"))
        with contextlib.suppress(OSError):
            await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_server(accept, *near.split(":"))
    await server.serve_forever()
