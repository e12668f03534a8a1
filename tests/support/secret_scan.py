# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds secrets in files and output: in clear text, in base64 at any offset, and URL-encoded."""

from __future__ import annotations

import base64
import os
import re
import stat
import threading
import typing as t
from pathlib import Path
from urllib.parse import quote

SIGNATURE_LENGTH = 24  # this many characters of a token's signature identify the token
_WORD = re.compile(rb"[\w-]{%d,}" % SIGNATURE_LENGTH, re.ASCII)
_BASE64 = re.compile(rb"[\w+/-]{%d,}" % (2 * SIGNATURE_LENGTH), re.ASCII)
_STANDARD = bytes.maketrans(b"-_", b"+/")

Content = tuple[str, bytes]  # the path of a file and what it contains


def secret_forms(secret: str) -> set[bytes]:
    """Return the forms in which a secret may occur. The signature of a JWT counts as well, since it cannot be guessed."""
    assert len(secret) >= 12, "a shorter secret could occur by chance"
    texts = {secret}
    if secret.startswith("eyJ") and secret.count(".") == 2:
        texts.add(secret.rpartition(".")[2][:SIGNATURE_LENGTH])
    forms = texts | {quote(text, safe="") for text in texts}
    return {form.encode() for form in forms} | {form for text in texts for form in _base64_forms(text.encode())}


def _base64_forms(data: bytes) -> set[bytes]:
    """Return the base64 characters that depend on data alone, for each number of bytes that may precede it."""
    forms = set()
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data)
        begin, end = -(-offset * 8 // 6), (offset + len(data)) * 8 // 6
        forms |= {encoded[begin:end], base64.urlsafe_b64encode(bytes(offset) + data)[begin:end]}
    return forms


class Scanner:
    """Finds named secrets and any private key. secrets: the secrets by their names."""

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        names = {form: name for name, secret in secrets.items() for form in secret_forms(secret)}
        self._names = {**names, b"PRIVATE KEY": "a private key"}
        self._pattern = re.compile(b"|".join(re.escape(form) for form in sorted(self._names, key=len, reverse=True)))

    def find(self, data: bytes) -> set[str]:
        """Return the names of the secrets in data."""
        return {self._names[match] for match in self._pattern.findall(data)}

    def find_all(self, contents: t.Iterable[Content]) -> dict[str, set[str]]:
        """Return the paths of the contents with secrets, and the names of these secrets."""
        return {path: names for path, data in contents if (names := self.find(data))}


class TokenScanner:
    """Finds any of very many JSON web tokens by the beginning of the signature, in clear text or in base64."""

    def __init__(self, tokens: t.Iterable[str]) -> None:
        self._signatures = {
            token.rpartition(".")[2][:SIGNATURE_LENGTH].encode() for token in tokens if token.count(".") == 2
        }

    def find(self, data: bytes) -> set[bytes]:
        """Return the beginnings of the signatures in data."""
        words = (word for text in (data, *_decode_base64(data)) for word in _WORD.findall(text))
        return {word[:SIGNATURE_LENGTH] for word in words} & self._signatures


def _decode_base64(data: bytes) -> t.Iterator[bytes]:
    """Yield every possible content of what looks like base64, for each offset at which it may begin."""
    for text in _BASE64.findall(data):
        for begin in range(4):
            part = text[begin:].translate(_STANDARD)
            yield base64.b64decode(part[: len(part) // 4 * 4])


def read_changed_files(folder: Path, versions: dict[Path, tuple[int, int]]) -> list[Content]:
    """Return the files below a folder that changed. Each content begins with the path, since a path may hold a secret too.

    versions: time and size of the files that were read before. It is updated.
    """
    contents = []
    # Unlike Path.rglob on older Pythons, os.walk continues when a folder disappears.
    for path in (Path(root, name) for root, _folders, names in os.walk(folder) for name in names):
        try:
            status = path.lstat()
            version = (status.st_mtime_ns, status.st_size)
            if stat.S_ISREG(status.st_mode) and versions.get(path) != version:
                contents.append((str(path), str(path).encode() + b"\n" + path.read_bytes()))
                versions[path] = version
        except OSError:
            continue  # the file was deleted meanwhile
    return contents


class Monitor:
    """A context manager that records every command line on the machine and every file that appears below a folder.

    interval: seconds between two scans.
    """

    def __init__(self, folder: Path, *, interval: float = 0.1) -> None:
        self.commands: set[bytes] = set()
        self.files: list[Content] = []
        self._folder = folder
        self._interval = interval
        self._versions: dict[Path, tuple[int, int]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Monitor:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop after one last scan."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stopped.wait(self._interval)
            self._record_commands()
            self.files += read_changed_files(self._folder, self._versions)

    def _record_commands(self) -> None:
        # Unlike Path.glob, os.listdir does not fail when a process ends meanwhile.
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                self.commands.add(Path("/proc", name, "cmdline").read_bytes())
            except OSError:
                continue  # the process ended meanwhile
