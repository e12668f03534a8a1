# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what each task did on each host to the file TASK_RECORD_FILE, one line of JSON per task."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase

if t.TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult

DOCUMENTATION = """
name: task_record
type: aggregate
short_description: Records what each task did
description: For the system tests. A result that no_log hides from all callbacks is hidden here, too.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_record"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._record(result, "ok")

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        self._record(result, "skipped")

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._record(result, "unreachable")

    def _record(self, result: CallbackTaskResult, status: str) -> None:
        entry = {
            "host": result.host.name,
            # Newer versions of ansible-core put the role's name first.
            "name": result.task_name.rpartition(" : ")[2],
            "status": status,
            "changed": result.is_changed(),
            "result": result.result,
        }
        with open(os.environ["TASK_RECORD_FILE"], "a", encoding="utf-8") as file:
            file.write(json.dumps(entry, default=str) + "\n")
