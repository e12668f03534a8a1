# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint, CheckpointEntry

FIRST = CheckpointEntry("host/key/a/b", "latest", "sha256:root", "sha256:one")
SECOND = FIRST._replace(blob="sha256:two")


def test_next_run_reads_the_entries(tmp_path):
    file = tmp_path / "pulled.jsonl"
    first = Checkpoint(str(file))
    first.add(FIRST)
    first.close()
    second = Checkpoint(str(file))
    assert second.has(FIRST) and not second.has(SECOND)
    second.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_incomplete_lines_are_ignored(tmp_path):
    file = tmp_path / "pulled.jsonl"
    first = Checkpoint(str(file))
    first.add(FIRST)
    first.close()
    file.write_text(file.read_text() + '{"repository": "host/k')
    second = Checkpoint(str(file))
    second.add(SECOND)
    second.close()
    third = Checkpoint(str(file), writable=False)
    assert third.has(FIRST) and third.has(SECOND)


def test_missing_file_is_not_created_in_check_mode(tmp_path):
    file = tmp_path / "pulled.jsonl"
    unused = Checkpoint(str(file), writable=False)
    unused.add(FIRST)
    unused.close()
    assert not file.exists()


def test_checkpoint_without_a_file_is_empty():
    checkpoint = Checkpoint()
    checkpoint.add(FIRST)
    checkpoint.close()
    assert not checkpoint.has(FIRST)


@pytest.mark.parametrize("make", [lambda path: path / "none" / "file", lambda path: path], ids=["no folder", "folder"])
def test_unusable_file(tmp_path, make):
    with pytest.raises(InputError, match="resume_file cannot be used"):
        Checkpoint(str(make(tmp_path)))


def test_symbolic_link_is_rejected(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(InputError, match="resume_file cannot be used"):
        Checkpoint(str(tmp_path / "link"))
    assert not (tmp_path / "target").exists()
