# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint, CheckpointEntry

ONE = CheckpointEntry("host/key/a/b", "latest", "sha256:root", "sha256:one")
TWO = ONE._replace(blob="sha256:two")


def test_what_was_added_is_known_to_the_next_run(tmp_path):
    file = tmp_path / "proved.jsonl"
    first = Checkpoint(str(file))
    first.add(ONE)
    first.close()
    second = Checkpoint(str(file))
    assert second.has(ONE) and not second.has(TWO)
    second.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_line_that_was_cut_does_not_count_and_spoils_no_other(tmp_path):
    file = tmp_path / "proved.jsonl"
    first = Checkpoint(str(file))
    first.add(ONE)
    first.close()
    file.write_text(file.read_text() + '{"repository": "host/k')
    second = Checkpoint(str(file))
    second.add(TWO)
    second.close()
    third = Checkpoint(str(file), writable=False)
    assert third.has(ONE) and third.has(TWO)


def test_a_file_that_is_only_read_is_not_made(tmp_path):
    file = tmp_path / "proved.jsonl"
    unused = Checkpoint(str(file), writable=False)
    unused.add(ONE)
    unused.close()
    assert not file.exists()


def test_without_a_file_nothing_is_known():
    nowhere = Checkpoint()
    nowhere.add(ONE)
    nowhere.close()
    assert not nowhere.has(ONE)


@pytest.mark.parametrize("make", [lambda path: path / "none" / "file", lambda path: path], ids=["no folder", "folder"])
def test_a_file_that_cannot_be_used(tmp_path, make):
    with pytest.raises(InputError, match="resume_file cannot be used"):
        Checkpoint(str(make(tmp_path)))


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(InputError, match="resume_file cannot be used"):
        Checkpoint(str(tmp_path / "link"))
    assert not (tmp_path / "target").exists()
