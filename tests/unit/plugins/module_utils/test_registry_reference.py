# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import (
    Reference,
    digest_of,
    is_digest,
    parse_reference,
)

SHA256 = "sha256:" + "a" * 64
SHA512 = "sha512:" + "b" * 128


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest"),
    [
        ("nginx", "nginx", "latest", None),
        ("example.com/nginx", "example.com/nginx", "latest", None),
        ("chainguard/go:1.27-dev", "chainguard/go", "1.27-dev", None),
        (f"chainguard/go@{SHA256}", "chainguard/go", None, SHA256),
        (f"chainguard/go:1@{SHA512}", "chainguard/go", "1", SHA512),
        ("a__b/c--d/e.f:_x", "a__b/c--d/e.f", "_x", None),
    ],
)
def test_references(text, name, tag, digest):
    assert parse_reference(text) == Reference(text, name, tag, digest)


def test_tag_takes_precedence():
    assert parse_reference(f"a/b:1@{SHA256}").selector == "1"
    assert parse_reference(f"a/b@{SHA256}").selector == SHA256


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Example/nginx",
        "a//b",
        "/a",
        "a/",
        "a..b",
        "a_-b",
        "https://cgr.dev/chainguard/go",
        "localhost:5000/go",
        "go:",
        "go:" + "x" * 129,
        "go:-x",
        "go@",
        "go@sha256:short",
        "go@md5:d41d8cd98f00b204e9800998ecf8427e",
        "go@sha256:" + "A" * 64,
        "a/" * 127 + "ab",
        "go:latest\n",
    ],
)
def test_invalid_references(text):
    with pytest.raises(InputError):
        parse_reference(text)


def test_known_host_is_rejected():
    with pytest.raises(InputError, match="begins with the host cgr.dev"):
        parse_reference("cgr.dev/chainguard/go", hosts=["registry.example.com", "cgr.dev"])
    with pytest.raises(InputError, match="begins with the host 127.0.0.1:5000"):
        parse_reference("127.0.0.1:5000/go", hosts=["127.0.0.1:5000"])


@pytest.mark.parametrize("text", ["", "latest", "sha256", ":", "sha1:" + "a" * 40, "sha256:" + "a" * 63])
def test_invalid_digests(text):
    assert not is_digest(text)


def test_digest_algorithms():
    assert digest_of(b"{}") == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest_of(b"", like=SHA512).startswith("sha512:cf83e1357eefb8bd")
