# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of the lab for tests: it changes the lab's state, reads it, and pulls without any code of the collection."""

from __future__ import annotations

import base64
import hashlib
import secrets
import typing as t
from urllib.parse import quote

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

    # --- changing the lab ---------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Restore the initial state."""
        self.control("POST", "/reset")

    def configure(self, **settings: t.Any) -> None:
        """Change settings of the lab."""
        self.control("POST", "/settings", settings)

    def advance(self, *, days: float) -> None:
        """Move the clock forward."""
        self.control("POST", "/clock", {"advance": days * DAY})

    def inject_fault(self, action: Json, **match: t.Any) -> None:
        """Disturb the requests that match. The lab's README.md describes the actions."""
        self.control("POST", "/faults", {**match, "action": action})

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.control("DELETE", "/faults")

    def set_config(self, key: str, **settings: t.Any) -> None:
        """Change the stored configuration of a repository manually."""
        self.control("POST", f"/artifactory/repositories/{key}", settings)

    def cached_paths(self, key: str) -> list[str]:
        """Return the paths of everything that a remote repository has cached."""
        return list(self.control("GET", f"/artifactory/cache/{key}"))

    def clear_cache(self, key: str) -> None:
        """Delete everything that a remote repository has cached."""
        self.control("DELETE", f"/artifactory/cache/{key}")

    def revoke(self, uid: str) -> None:
        """Delete an identity without any request to Chainguard's API."""
        self.control("POST", "/chainguard/identities/revoke", {"uid": uid})

    # --- reading the lab ----------------------------------------------------------------------------------------------
    def log_position(self) -> int:
        """Return the number of the newest entry of the request log."""
        return max((int(entry["n"]) for entry in self.request_log()), default=0)

    def repositories(self) -> dict[str, Json]:
        """Return the stored configurations by key, with passwords in clear text."""
        return dict(self.control("GET", "/artifactory/repositories"))

    def pull_tokens(self) -> list[Json]:
        """Return the identities that are pull tokens."""
        return [identity for identity in self.control("GET", "/chainguard/identities") if "staticKeys" in identity]

    def bindings(self) -> list[Json]:
        """Return the role bindings."""
        return list(self.control("GET", "/chainguard/bindings"))

    def credentials(self) -> list[str]:
        """Return every password and bearer token that a client sent to a service."""
        return list(self.control("GET", "/credentials"))

    def permissions(self) -> Json:
        """Return the permissions by name."""
        return dict(self.control("GET", "/artifactory/permissions"))

    # --- requests to the services -------------------------------------------------------------------------------------
    def request(self, method: str, url: str, **options: t.Any) -> httpx.Response:
        """Send a request that trusts the lab's CA."""
        return httpx.request(method, url, verify=self._tls or False, trust_env=False, **options)

    def artifactory(self, method: str, path: str, body: t.Any = None) -> httpx.Response:
        """Call Artifactory's REST API as its administrator."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return self.request(method, f"{self.artifactory_url}/artifactory/api{path}", headers=headers, json=body)

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
        """Create a repository. Without settings it is a Docker remote of Chainguard."""
        defaults = {
            "rclass": "remote",
            "packageType": "docker",
            "url": "https://cgr.dev/",
            "enableTokenAuthentication": True,
        }
        response = self.artifactory("PUT", f"/repositories/{key}", {**defaults, **settings})
        assert response.status_code == 200, response.text

    def upstream_digest(self, image: str, reference: str = "latest", credentials: tuple[str, str] = ANONYMOUS) -> str:
        """Return the digest that Chainguard's registry serves, computed from the manifest's bytes."""
        scope = f"repository:{image}:pull"
        headers = {"Authorization": basic_auth(*credentials)} if any(credentials) else {}
        token = self.request("GET", f"{self.registry_url}/token", params={"scope": scope}, headers=headers)
        assert token.status_code == 200, token.text
        headers = {"Authorization": f"Bearer {token.json()['token']}"}
        manifest = self._get_manifest(f"{self.registry_url}/v2/{image}", reference, headers)
        assert manifest.status_code == 200, manifest.text
        return f"sha256:{hashlib.sha256(manifest.content).hexdigest()}"

    def pull(self, key: str, image: str, reference: str = "latest") -> int:
        """Get a manifest from Artifactory as an ordinary user, and return the status code."""
        return self._pull_manifest(key, image, reference).status_code

    def pull_manifests(self, key: str, image: str) -> None:
        """Get the manifests of all platforms of an image from Artifactory, without their layers."""
        for entry in self._pull_manifest(key, image, "latest").raise_for_status().json()["manifests"]:
            self._pull_manifest(key, image, entry["digest"]).raise_for_status()

    def _pull_manifest(self, key: str, image: str, reference: str) -> httpx.Response:
        headers = {"Authorization": basic_auth("puller", self.users["puller"]["token"])}
        return self._get_manifest(f"{self.artifactory_url}/v2/{key}/{image}", reference, headers)

    def read_file(self, path: str) -> bytes:
        """Return a file below /artifactory/ as an ordinary user gets it. Raises httpx.HTTPStatusError."""
        return self.download(path).raise_for_status().content

    def download(self, path: str, accept: str = "*/*") -> httpx.Response:
        """Return the response to an ordinary user's GET of a path below /artifactory/."""
        headers = {"Authorization": basic_auth("puller", self.users["puller"]["token"]), "Accept": accept}
        return self.request("GET", f"{self.artifactory_url}/artifactory/{path}", headers=headers)

    def _get_manifest(self, url: str, reference: str, headers: dict[str, str]) -> httpx.Response:
        return self.request("GET", f"{url}/manifests/{reference}", headers={**headers, "Accept": _MANIFESTS})

    def create_user(self, name: str) -> str:
        """Create a user of Artifactory, and return an access token of it."""
        self.artifactory("PUT", f"/security/users/{quote(name)}", {"email": name, "password": secrets.token_urlsafe()})
        response = self.request(
            "POST",
            f"{self.artifactory_url}/access/api/v1/tokens",
            headers={"Authorization": f"Bearer {self.admin_token}"},
            json={"username": name},
        )
        return str(response.json()["access_token"])

    # --- input of the collection --------------------------------------------------------------------------------------
    def variables(self, *sources: str, **overrides: t.Any) -> Json:
        """Return role variables. The names in overrides lack the prefix pull_through_; None removes a variable."""
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
            "grace_period": "1s",
            **overrides,
        }
        return {f"pull_through_{name}": value for name, value in values.items() if value is not None}

    def module_defaults(self, user: str = "admin") -> Json:
        """Return module_defaults with the connections to both services. user: an Artifactory user of the lab."""
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

    def workload_variables(self) -> Json:
        """Return the arguments of variables() that log in as the workload identity, which has a role in both organizations."""
        return {
            "chainguard_api_token": None,
            "chainguard_identity": self.workload["identity"],
            "chainguard_identity_token": self.workload["oidc_token"],
        }


def basic_auth(username: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
