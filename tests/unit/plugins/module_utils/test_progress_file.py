# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import stat
import threading

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._progress_file import ProgressFile


def test_lines_are_appended_during_the_work(tmp_path):
    file, third = tmp_path / "progress", threading.Event()
    file.write_text("an earlier run\n")
    file.chmod(0o600)
    calls = []

    def line():
        calls.append(1)
        if len(calls) == 3:
            third.set()
        return f"line {len(calls)}"

    with ProgressFile(str(file), line, interval=0.001):
        assert third.wait(10)
    earlier, *lines = file.read_text().splitlines()
    assert earlier == "an earlier run" and len(lines) == len(calls) >= 4
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ line \d+", line) for line in lines)


def test_only_the_owner_can_read_the_file(tmp_path):
    with ProgressFile(str(tmp_path / "progress"), lambda: "x"):
        pass
    assert stat.S_IMODE((tmp_path / "progress").stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_an_error_before_the_work(tmp_path):
    with pytest.raises(InputError, match="progress_file cannot be written"):
        with ProgressFile(str(tmp_path / "none" / "progress"), lambda: "x"):
            raise AssertionError("the work was started")


def test_a_file_that_is_deleted_does_not_end_the_work(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with ProgressFile(str(folder / "progress"), lambda: "x"):
        (folder / "progress").unlink()
        folder.rmdir()
