# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab as the system tests use it: what they turn, what they look at, and a registry client without the collection."""

from __future__ import annotations

import base64
import hashlib
import typing as t

import httpx
from lab.client import LabProcess

DAY = 86400
ANONYMOUS = ("", "")
_MANIFESTS = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"

Json = dict[str, t.Any]


class LabClient(LabProcess):
    """A running lab."""

    def __init__(self, state: Json) -> None:
        super().__init__(state)
        artifactory, chainguard = state["artifactory"], state["chainguard"]
        self.artifactory_url: str = artifactory["url"]
        self.host: str = artifactory["url"].partition("//")[2]
        self.users: dict[str, dict[str, str]] = artifactory["users"]
        self.admin_token: str = self.users["admin"]["token"]
        self.registry_url: str = chainguard["registry_url"]
        self.api_tokens: dict[str, str] = chainguard["api_tokens"]
        self.workload: dict[str, str] = chainguard["workload"]
        self.organization: dict[str, str] = chainguard["organization"]
        self.ca_path: str | None = state["ca_path"]

    # --- what tests turn ----------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Put everything back to how it was at the start."""
        self.control("POST", "/reset")

    def configure(self, **settings: t.Any) -> None:
        self.control("POST", "/settings", settings)

    def advance(self, *, days: float) -> None:
        self.control("POST", "/clock", {"advance": days * DAY})

    def inject_fault(self, action: Json, **match: t.Any) -> None:
        """Spoil the requests that match, in the way of the lab's README.md."""
        self.control("POST", "/faults", {**match, "action": action})

    def clear_faults(self) -> None:
        """End all faults."""
        self.control("DELETE", "/faults")

    def set_config(self, key: str, **settings: t.Any) -> None:
        """Change the stored configuration of a repository by hand."""
        self.control("POST", f"/artifactory/repositories/{key}", settings)

    def revoke(self, uid: str) -> None:
        """Take an identity away behind everyone's back."""
        self.control("POST", "/chainguard/identities/revoke", {"uid": uid})

    # --- what tests look at -------------------------------------------------------------------------------------------
    def log_position(self) -> int:
        """Return the number of the newest entry of the request log."""
        return max((int(entry["n"]) for entry in self.request_log()), default=0)

    def repositories(self) -> dict[str, Json]:
        """Return the stored configurations by key, with passwords in clear text."""
        return dict(self.control("GET", "/artifactory/repositories"))

    def pull_tokens(self) -> list[Json]:
        """Return the identities that are pull tokens."""
        return [one for one in self.control("GET", "/chainguard/identities") if "staticKeys" in one]

    def bindings(self) -> list[Json]:
        """Return the role bindings."""
        return list(self.control("GET", "/chainguard/bindings"))

    def credentials(self) -> list[str]:
        """Return every password and bearer token that a service was sent."""
        return list(self.control("GET", "/credentials"))

    def permissions(self) -> Json:
        """Return the permissions by name."""
        return dict(self.control("GET", "/artifactory/permissions"))

    # --- clients ------------------------------------------------------------------------------------------------------
    def artifactory(self, method: str, path: str, body: t.Any = None) -> httpx.Response:
        """Call Artifactory's REST API as its administrator."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return self._request(method, f"{self.artifactory_url}/artifactory/api{path}", headers=headers, json=body)

    def chainguard_client(self) -> httpx.Client:
        """Return a client of Chainguard's API that is logged in as the owner of the organization."""
        headers = {"Authorization": f"Bearer {self.api_tokens['owner']}"}
        url = self.state["chainguard"]["api_url"]
        return httpx.Client(base_url=url, headers=headers, verify=self._tls or False, trust_env=False)

    def chainguard(self, method: str, path: str, body: t.Any = None) -> httpx.Response:
        """Call Chainguard's API as the owner of the organization. Raises httpx.HTTPStatusError."""
        with self.chainguard_client() as client:
            return client.request(method, path, json=body).raise_for_status()

    def create_repository(self, key: str, **settings: t.Any) -> None:
        """Create a Docker remote of Chainguard, unless the settings say otherwise."""
        usual = {
            "rclass": "remote",
            "packageType": "docker",
            "url": "https://cgr.dev/",
            "enableTokenAuthentication": True,
        }
        answer = self.artifactory("PUT", f"/repositories/{key}", {**usual, **settings})
        assert answer.status_code == 200, answer.text

    def upstream_digest(self, image: str, reference: str = "latest", login: tuple[str, str] = ANONYMOUS) -> str:
        """Return the digest that Chainguard's registry itself serves, computed from the manifest's bytes."""
        scope = f"repository:{image}:pull"
        headers = {"Authorization": basic(*login)} if any(login) else {}
        token = self._request("GET", f"{self.registry_url}/token", params={"scope": scope}, headers=headers)
        assert token.status_code == 200, token.text
        headers = {"Authorization": f"Bearer {token.json()['token']}"}
        manifest = self._manifest(f"{self.registry_url}/v2/{image}", reference, headers)
        assert manifest.status_code == 200, manifest.text
        return f"sha256:{hashlib.sha256(manifest.content).hexdigest()}"

    def pull(self, key: str, image: str, reference: str = "latest") -> int:
        """Ask Artifactory for a manifest as a user would; return the status."""
        headers = {"Authorization": basic("puller", self.users["puller"]["token"])}
        return self._manifest(f"{self.artifactory_url}/v2/{key}/{image}", reference, headers).status_code

    def file(self, path: str) -> bytes:
        """Return what a user gets of a package repository. Raises httpx.HTTPStatusError."""
        return self.download(path).raise_for_status().content

    def download(self, path: str, accept: str = "*/*") -> httpx.Response:
        """Return the answer that a user gets of a path below /artifactory/."""
        headers = {"Authorization": basic("puller", self.users["puller"]["token"]), "Accept": accept}
        return self._request("GET", f"{self.artifactory_url}/artifactory/{path}", headers=headers)

    def _manifest(self, url: str, reference: str, headers: dict[str, str]) -> httpx.Response:
        return self._request("GET", f"{url}/manifests/{reference}", headers={**headers, "Accept": _MANIFESTS})

    def request(self, method: str, url: str, **more: t.Any) -> httpx.Response:
        """Send a request of a test's own."""
        return self._request(method, url, **more)

    def _request(self, method: str, url: str, **more: t.Any) -> httpx.Response:
        return httpx.request(method, url, verify=self._tls or False, trust_env=False, **more)

    # --- what a user writes -------------------------------------------------------------------------------------------
    def variables(self, *sources: str, **more: t.Any) -> Json:
        """Return the variables of the role, each of `more` without its prefix pull_through_. None leaves one out."""
        chainguard = self.state["chainguard"]
        values = {
            "artifactory_url": self.artifactory_url,
            "artifactory_access_token": self.admin_token,
            "organization": self.organization["name"],
            "sources": sources,
            "chainguard_api_token": self.api_tokens["owner"],
            "chainguard_api_url": chainguard["api_url"],
            "chainguard_issuer_url": chainguard["issuer_url"],
            "chainguard_registry_url": self.registry_url,
            **{f"chainguard_{name}": chainguard[name] for name in ("libraries_url", "apk_url", "virtualapk_url")},
            "ca_path": self.ca_path,
            **more,
        }
        return {f"pull_through_{name}": value for name, value in values.items() if value is not None}

    def defaults(self, user: str = "admin") -> Json:
        """Return module_defaults that log in to both services."""
        chainguard = self.state["chainguard"]
        trust = {"ca_path": self.ca_path} if self.ca_path else {}
        return {
            "group/cgr.pull_through.artifactory": {
                "artifactory_url": self.artifactory_url,
                "artifactory_access_token": self.users[user]["token"],
                **trust,
            },
            "group/cgr.pull_through.chainguard": {
                "organization": self.organization["name"],
                "chainguard_api_token": self.api_tokens["owner"],
                "chainguard_api_url": chainguard["api_url"],
                "chainguard_issuer_url": chainguard["issuer_url"],
                **trust,
            },
        }


def basic(username: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
