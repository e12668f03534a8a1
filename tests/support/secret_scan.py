# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds secrets in what a program left behind: in the clear, in base64 wherever it begins, and encoded for a URL."""

from __future__ import annotations

import base64
import os
import re
import stat
import threading
import typing as t
from pathlib import Path
from urllib.parse import quote

_TELLING = 24  # characters of a token's signature that are as good as the whole
_WORD = re.compile(rb"[\w-]{%d,}" % _TELLING, re.ASCII)
_BASE64 = re.compile(rb"[\w+/-]{%d,}" % (2 * _TELLING), re.ASCII)
_STANDARD = bytes.maketrans(b"-_", b"+/")


def needles(secret: str) -> set[bytes]:
    """Return the forms in which a secret may show. Of a JWT the signature counts: it is what nobody can guess."""
    assert len(secret) >= 12, "too short to be told from chance"
    plain = {secret}
    if secret.startswith("eyJ") and secret.count(".") == 2:
        plain.add(secret.rpartition(".")[2][:_TELLING])
    forms = plain | {quote(text, safe="") for text in plain}
    return {text.encode() for text in forms} | {form for text in plain for form in _in_base64(text.encode())}


def _in_base64(data: bytes) -> set[bytes]:
    """Return what base64 makes of data, whatever number of bytes stands before it: the part that depends on data alone."""
    forms = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        begin, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        forms |= {encoded[begin:end], base64.urlsafe_b64encode(bytes(before) + data)[begin:end]}
    return forms


class Scanner:
    """Looks for named secrets, and for any private key."""

    def __init__(self, secrets: t.Mapping[str, str]) -> None:
        found_in = {form: name for name, secret in secrets.items() for form in needles(secret)}
        self._names = {**found_in, b"PRIVATE KEY": "a private key"}
        self._pattern = re.compile(b"|".join(re.escape(form) for form in sorted(self._names, key=len, reverse=True)))

    def find(self, data: bytes) -> set[str]:
        """Return the names of the secrets that data holds."""
        return {self._names[match] for match in self._pattern.findall(data)}

    def find_all(self, collected: t.Iterable[tuple[str, bytes]]) -> dict[str, set[str]]:
        """Return the places that hold secrets, with the names of these."""
        return {place: found for place, data in collected if (found := self.find(data))}


class TokenScanner:
    """Looks for any of very many JSON web tokens: for the beginning of a signature, in the clear or below base64."""

    def __init__(self, tokens: t.Iterable[str]) -> None:
        self._signatures = {token.rpartition(".")[2][:_TELLING].encode() for token in tokens if token.count(".") == 2}

    def find(self, data: bytes) -> set[bytes]:
        """Return the beginnings of signatures that data holds."""
        return {
            word[:_TELLING] for layer in (data, *_decoded(data)) for word in _WORD.findall(layer)
        } & self._signatures


def _decoded(data: bytes) -> t.Iterator[bytes]:
    """Yield what may have been in base64, wherever it began."""
    for text in _BASE64.findall(data):
        for begin in range(4):
            part = text[begin:].translate(_STANDARD)
            yield base64.b64decode(part[: len(part) // 4 * 4])


def read_news(folder: Path, known: dict[Path, tuple[int, int]]) -> list[tuple[str, bytes]]:
    """Return names and contents of the files below a folder; a content begins with the name, which counts as well.

    known: the time and size of files, which are left out while they stay as noted here. It is brought up to date.
    """
    found = []
    # Unlike Path.rglob on older Pythons, os.walk goes on when a folder vanishes meanwhile.
    for path in (Path(root, name) for root, _folders, names in os.walk(folder) for name in names):
        try:
            status = path.lstat()
            version = (status.st_mtime_ns, status.st_size)
            if stat.S_ISREG(status.st_mode) and known.get(path) != version:
                found.append((str(path), str(path).encode() + b"\n" + path.read_bytes()))
                known[path] = version
        except OSError:
            continue  # it is gone already
    return found


class Watch:
    """While it is entered, notes every command line on the machine, and every file that shows up below a folder.

    pause: seconds between two looks.
    """

    def __init__(self, folder: Path, *, pause: float = 0.1) -> None:
        self.commands: set[bytes] = set()
        self.files: list[tuple[str, bytes]] = []
        self._folder = folder
        self._pause = pause
        self._known: dict[Path, tuple[int, int]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Look for the last time."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            last = self._ended.wait(self._pause)
            self._look_at_processes()
            self.files += read_news(self._folder, self._known)

    def _look_at_processes(self) -> None:
        # Unlike Path.glob, os.listdir does not mind when a process ends meanwhile.
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                self.commands.add(Path("/proc", name, "cmdline").read_bytes())
            except OSError:
                continue  # it has ended already
