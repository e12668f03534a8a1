# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._capabilities import capability_name


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ("CAP_IAM_ROLE_BINDINGS_LIST", "role_bindings.list"),
        ("CAP_TENANT_RECORD_SIGNATURES_LIST", "record_signatures.list"),
        ("CAP_MANIFEST_METADATA_LIST", "manifest.metadata.list"),
        ("identity.create", "identity.create"),
    ],
)
def test_capability_names(capability, name):
    assert capability_name(capability) == name
