# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._claims import decode_claims
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError


def test_claims_of_an_invalid_token():
    with pytest.raises(InputError, match="password is not a JSON Web Token"):
        decode_claims("a.b", "password")
