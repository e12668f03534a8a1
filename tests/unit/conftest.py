# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs whole modules with a scripted transport."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils import _cache_probe, _http, _retry

sys.path.insert(0, str(Path(__file__).parent))

from scripted import ScriptedTransport  # pylint: disable=wrong-import-position

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # ansible-core before 2.19

    @contextlib.contextmanager
    def patch_module_args(module_args: dict[str, t.Any] | None = None) -> t.Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": module_args or {}}).encode())
            yield


Result = dict[str, t.Any]
RunModule = t.Callable[..., Result]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the environment variables that options fall back to."""
    for name in list(os.environ):
        if name.startswith(("ARTIFACTORY_", "CHAINGUARD_", "PULL_THROUGH_")) or name in ("CHAINCTL", "REGISTRY_URL"):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunModule:
    """Return a function that runs the main() of a module, and returns its result with a list of its warnings."""

    def run(module: t.Any, transport: ScriptedTransport, *, check: bool = False, **options: t.Any) -> Result:
        monkeypatch.setattr(_http, "RequestsTransport", lambda **_settings: transport)
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)
        monkeypatch.setattr(_cache_probe, "_PROBE_INTERVAL", 0.0)
        # Sessions have the real sleep as a default, which was read when they were imported. A retry with options has an end.
        backoff = _retry.backoff
        monkeypatch.setattr(_retry, "backoff", lambda *error, **options: backoff(*error, **options) if options else 0.0)
        # ansible-core would add them to the result of the next module in the same process.
        warnings: list[str] = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
        with patch_module_args({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        return {**json.loads(capsys.readouterr().out), "warnings": warnings}

    return run
