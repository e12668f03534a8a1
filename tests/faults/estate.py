# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A healthy estate in the lab, which a fault breaks, and a runner of modules in this process."""

from __future__ import annotations

import contextlib
import io
import json
import typing as t
from unittest import mock

from ansible.module_utils.testing import patch_module_args
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.cgr.pull_through.plugins.module_utils import _retry
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _jwt
from ansible_collections.cgr.pull_through.plugins.modules import (
    artifactory_diagnosis,
    artifactory_remote_repository,
    chainguard_pull_token,
)
from support.lab_client import Json, LabClient
from support.sources import CUDA, SOURCES, VIRTUALS

# The sources that faults break: one of each kind. The healthy estate of a test of its own has all.
NAMES = ("containers", "containers_public", "packages", "java", "python", "javascript", "dotnet")
PULL_TOKENS = {
    "containers": "oci",
    "charts": "oci",
    "packages": "apk",
    "java": "java",
    "java_remediated": "java",
    "python": "python",
    "python_remediated": "python",
    **{f"python_{cuda}": "python" for cuda in CUDA},
    "javascript": "javascript",
    "dotnet": "dotnet",
    "go": "go",
}
PUBLIC_IMAGE = "chainguard/wolfi-base:latest"
_KEY_BITS = 2048


def run_module(module: t.Any, **options: t.Any) -> Json:
    """Return the result of a module that runs in this process."""
    output = io.StringIO()
    no_waits = mock.patch.object(_retry, "backoff", return_value=0.0)
    with patch_module_args(options), no_waits, contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    result: Json = json.loads(output.getvalue())
    return result


class Estate:
    """The repositories of Chainguard's sources in a lab, with their pull tokens. pull_tokens: how many it has at most."""

    def __init__(self, lab: LabClient, pull_tokens: int = len(PULL_TOKENS)) -> None:
        self.lab = lab
        self._keys = [rsa.generate_private_key(65537, _KEY_BITS) for _number in range(pull_tokens)]
        self.uid = lab.organization["uid"]
        self.tokens: dict[str, Json] = {}

    def build(self, names: t.Sequence[str] = NAMES) -> None:
        """Reset the lab, and create the repositories of these sources with their pull tokens."""
        self.lab.reset()
        self.lab.control("DELETE", "/request_log")
        self._issue([name for name in names if name in PULL_TOKENS])
        specs = []
        for name in names:
            source = SOURCES[name]
            settings = {field: value for field, value in self._settings(name).items() if field != "url"}
            spec = {"key": source.key, "package_type": source.package_type, "url": self._settings(name)["url"]}
            if name in self.tokens:
                spec.update({field: self.tokens[name][field] for field in ("username", "password")})
            specs.append({**spec, "settings": settings})
        result = run_module(artifactory_remote_repository, repositories=specs, **self._artifactory("admin"))
        assert not result.get("failed"), result

    def create_virtual(self, name: str) -> None:
        """Create a virtual repository of the catalog."""
        key, package_type, members = VIRTUALS[name]
        body = {"rclass": "virtual", "packageType": package_type, "repositories": members}
        response = self.lab.artifactory("PUT", f"/repositories/{key}", body)
        assert response.status_code == 200, response.text

    def diagnose(self, *names: str, **options: t.Any) -> Json:
        """Return the result of artifactory_diagnosis for these sources. options: of the module, besides the following.

        user: of Artifactory. chainguard: whether there are credentials for Chainguard. virtuals: more items of the option sources.
        """
        user, chainguard = options.pop("user", "admin"), options.pop("chainguard", True)
        overrides = options.pop("overrides", {})
        sources = [{**self._source(name), **overrides.get(name, {})} for name in names] + options.pop("virtuals", [])
        connection = {**self._artifactory(user), **(self._chainguard() if chainguard else {"chainctl": "missing"})}
        return run_module(artifactory_diagnosis, **{"sources": sources, **connection, **options})

    def _source(self, name: str) -> Json:
        source = SOURCES[name]
        settings = self._settings(name)
        pulls = {"images": [PUBLIC_IMAGE]} if name == "containers_public" else source.pulls
        fields = {
            "name": name,
            "key": source.key,
            "package_type": source.package_type,
            "url": settings.pop("url"),
            "settings": settings,
            "pull_token": PULL_TOKENS.get(name),
            "organization": self.lab.organization["name"],
            "upstream_url": self.lab.registry_url if name == "containers_public" else None,
            **pulls,
        }
        return {field: value for field, value in fields.items() if value is not None}

    def _settings(self, name: str) -> Json:
        return {
            field: value.format(uid=self.uid) if isinstance(value, str) else value
            for field, value in SOURCES[name].settings.items()
        }

    def _issue(self, names: t.Sequence[str]) -> None:
        tokens = [
            {
                "organization": self.lab.organization["name"],
                "name": f"pull {SOURCES[name].key}",
                "ecosystem": PULL_TOKENS[name],
                "consumer": f"{self.lab.artifactory_url}/{SOURCES[name].key}",
            }
            for name in names
        ]
        # A key takes half a second.
        with mock.patch.object(_jwt.rsa, "generate_private_key", side_effect=self._keys):
            result = run_module(chainguard_pull_token, tokens=tokens, ttl="720h", **self._chainguard())
        assert not result.get("failed"), result
        self.tokens = dict(zip(names, result["tokens"]))

    def _artifactory(self, user: str) -> Json:
        return {
            "artifactory_url": self.lab.artifactory_url,
            "artifactory_username": user,
            "artifactory_access_token": self.lab.users[user]["token"],
            **self._trust(),
        }

    def _chainguard(self) -> Json:
        chainguard = self.lab.state["chainguard"]
        return {
            "chainguard_api_token": self.lab.api_tokens["owner"],
            "chainguard_api_url": chainguard["api_url"],
            "chainguard_issuer_url": chainguard["issuer_url"],
            **self._trust(),
        }

    def _trust(self) -> Json:
        return {"ca_path": self.lab.ca_path} if self.lab.ca_path else {}
