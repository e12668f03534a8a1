# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry in memory, as a script for a transport: valid manifests and blobs, and faults on demand."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import typing as t
from urllib.parse import parse_qs, urlsplit

from scripted import Play, ScriptedResponse

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import TransportError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import CHUNK, Request
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import OCI_INDEX, OCI_MANIFEST

IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Document = dict[str, t.Any]


def sha256(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def unknown_manifest() -> ScriptedResponse:
    """Return Artifactory's response for everything that it could not fetch."""
    message = "The named manifest is not known to the registry."
    return ScriptedResponse(404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": message, "detail": None}]})


class TruncatedResponse(ScriptedResponse):
    """A response whose connection is lost in the middle of the body."""

    def chunks(self, size: int = CHUNK) -> t.Iterator[bytes]:
        yield self.body[: len(self.body) // 2]
        raise TransportError(
            "registry.example.com cut the connection.", method="GET", url="https://registry.example.com/"
        )


class FakeRegistry:
    """Returns content that was added. Call it with a request: it is a script for ScriptedTransport(respond=...).

    plays: responses to return first, by path. Each is used once, and the last one of a list repeatedly.
    supports_head: whether HEAD succeeds. referrers: by name and digest; None without the Referrers API.
    challenge: the 401 header for requests without one of the tokens that were issued at realm.
    """

    def __init__(self, base: str = "https://registry.example.com", *, challenge: str = "") -> None:
        self.base = base
        self.challenge = challenge
        self.realm = f"{base}/token"
        self.expires_in: t.Any = 300
        self.tokens: dict[str, str] = {}
        self.plays: dict[str, list[Play]] = {}
        self.supports_head = True
        self.referrers: dict[tuple[str, str], list[Document]] | None = None
        self._numbers = itertools.count(1)
        self._contents: dict[str, tuple[bytes, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Play:
        parts = urlsplit(request.url)
        with self._lock:
            if plays := self.plays.get(parts.path):
                return plays.pop(0) if len(plays) > 1 else plays[0]
            if request.url.startswith(self.realm):
                return self._issue_token(parse_qs(parts.query)["scope"][0])
        if self.challenge and request.headers.get("Authorization") not in self.tokens:
            errors = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return ScriptedResponse(401, errors, {"WWW-Authenticate": self.challenge})
        if parts.path == "/v2/":
            return ScriptedResponse(200, {})
        name, _part, digest = parts.path.removeprefix("/v2/").partition("/referrers/")
        if digest and self.referrers is not None:
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.referrers.get((name, digest), [])}
            return ScriptedResponse(200, index, {"Content-Type": OCI_INDEX})
        if request.method == "HEAD" and not self.supports_head:
            return ScriptedResponse(403)
        if parts.path not in self._contents:
            return unknown_manifest()
        body, content_type = self._contents[parts.path]
        headers = {"Content-Type": content_type}
        if "/manifests/" in parts.path:
            headers["Docker-Content-Digest"] = sha256(body)
        if request.method == "HEAD":
            return ScriptedResponse(200, b"", {**headers, "Content-Length": str(len(body))})
        return ScriptedResponse(200, body, headers)

    def _issue_token(self, scope: str) -> ScriptedResponse:
        token = f"token-{next(self._numbers)}"
        self.tokens[f"Bearer {token}"] = scope
        return ScriptedResponse(200, {"token": token, "expires_in": self.expires_in})

    def size(self, digest: str) -> int:
        """Return the size of content by its digest."""
        return next(len(body) for path, (body, _type) in self._contents.items() if path.endswith(digest))

    def add_blob(self, name: str, body: bytes, media_type: str = LAYER, *, digest: str = "") -> Document:
        """Add a blob, and return its descriptor."""
        digest = digest or sha256(body)
        self._contents[f"/v2/{name}/blobs/{digest}"] = (body, "application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(body)}

    def add_manifest(self, name: str, document: Document, *tags: str, digest: str = "") -> Document:
        """Add a manifest with its digest and tags, and return its descriptor."""
        body = json.dumps(document).encode()
        digest = digest or sha256(body)
        for reference in (digest, *tags):
            self._contents[f"/v2/{name}/manifests/{reference}"] = (body, document.get("mediaType", ""))
        return {"mediaType": document.get("mediaType", ""), "digest": digest, "size": len(body)}

    def add_image(
        self, name: str, *tags: str, platform: str = "linux/amd64", layers: t.Sequence[t.Any] = ()
    ) -> Document:
        """Add an image, and return its entry for an index. layers: content, or descriptors."""
        system, architecture, *variant = platform.split("/")
        platform_fields = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        layers = layers or [f"layer of {name} for {platform}".encode()]
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.add_blob(name, json.dumps(platform_fields).encode(), IMAGE_CONFIG),
            "layers": [layer if isinstance(layer, dict) else self.add_blob(name, layer) for layer in layers],
        }
        return {**self.add_manifest(name, document, *tags), "platform": platform_fields}

    def add_index(self, name: str, *tags: str, entries: t.Sequence[Document] = ()) -> Document:
        """Add an index, and return its descriptor. By default, it has images for two platforms and an attestation."""
        if not entries:
            images = [self.add_image(name, platform=f"linux/{architecture}") for architecture in ("amd64", "arm64")]
            entries = [*images, self.attestation(name, images[0]["digest"])]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
        return self.add_manifest(name, document, *tags)

    def attestation(self, name: str, subject: str) -> Document:
        """Add an attestation as builders create it, and return its entry for an index."""
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.add_blob(name, b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [],
        }
        annotations = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject}
        unknown = {"os": "unknown", "architecture": "unknown"}
        return {**self.add_manifest(name, document), "platform": unknown, "annotations": annotations}
