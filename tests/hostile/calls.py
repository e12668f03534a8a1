# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each call of each client, with a valid response, which the property tests change."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import typing as t
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._access_tokens import TokensApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._permissions import (
    AccessPermissions,
    ClassicPermissions,
    permissions_api,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._snapshot import RepositorySnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import ChainguardService, Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._catalog import ImageCatalog, ImageFilter
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._libraries import list_remediated
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import PullToken
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request, oversize_error
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiErrorParser, ApiSession
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._ecosystems import get_ecosystem
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor

URL = "https://service.example.com"
UID = "0" * 40
TIME = "2026-01-31T12:00:00.123456789Z"


class CannedResponse:
    """A response in memory."""

    def __init__(self, status: int, body: bytes, headers: t.Mapping[str, str], request: Request) -> None:
        self.status = status
        self.headers: t.Mapping[str, str] = CaseInsensitiveDict(headers)
        self._body = body
        self._request = request

    def read(self, limit: int = 64 << 20) -> bytes:
        if len(self._body) > limit:
            raise oversize_error(self._request, limit)
        return self._body

    def read_start(self, limit: int) -> bytes:
        return self._body[:limit]

    def chunks(self, size: int = 1 << 20) -> t.Iterator[bytes]:
        yield self._body

    def close(self) -> None:
        """Do nothing."""


class CannedTransport:
    """Returns the first response whose key is a part of the path. responses: status, body, headers."""

    def __init__(self, responses: t.Mapping[str, tuple[int, bytes, dict[str, str]]]) -> None:
        self._responses = responses

    def send(self, request: Request) -> CannedResponse:
        path = urlsplit(request.url).path
        for key, (status, body, headers) in self._responses.items():
            if key in path:
                return CannedResponse(status, body, headers, request)
        return CannedResponse(404, b"{}", {}, request)


class Call(t.NamedTuple):
    """A call. documents: the valid responses, by a part of the path. A text or bytes is the body, else it is JSON."""

    documents: dict[str, t.Any]
    run: t.Callable[[CannedTransport], t.Any]
    headers: dict[str, str] = {}


def session(transport: CannedTransport, service: ApiErrorParser) -> ApiSession:
    return ApiSession(URL, service, transport=transport, authorization=lambda: "Bearer t", sleep=lambda _seconds: None)


def iam(run: t.Callable[[Iam], t.Any]) -> t.Callable[[CannedTransport], t.Any]:
    return lambda transport: run(Iam(session(transport, ChainguardService())))


def catalog(run: t.Callable[[ImageCatalog], t.Any]) -> t.Callable[[CannedTransport], t.Any]:
    organization = {"uid": UID, "name": "example.com"}
    return lambda transport: run(ImageCatalog(session(transport, ChainguardService()), organization, "image"))


def artifactory(run: t.Callable[[ApiSession], t.Any]) -> t.Callable[[CannedTransport], t.Any]:
    return lambda transport: run(session(transport, ArtifactoryService()))


def registry(run: t.Callable[[Registry], t.Any]) -> t.Callable[[CannedTransport], t.Any]:
    def call(transport: CannedTransport) -> t.Any:
        return run(Registry(URL, Credentials("u", "p"), transport=transport, sleep=lambda _seconds: None))

    return call


def package(package_type: str, artifact: str) -> t.Callable[[CannedTransport], t.Any]:
    """Return a call that finds an artifact and fetches its first file."""

    def call(transport: CannedTransport) -> t.Any:
        ecosystem = get_ecosystem(package_type)
        client = RepositoryClient(URL, Credentials("u", "p"), transport=transport, sleep=lambda _seconds: None)
        release = ecosystem.find(client, ecosystem.parse(artifact, "x86_64"))
        return [file.url for file in release.files], client.fetch(release.files[0]).size

    return call


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def descriptor(**fields: t.Any) -> dict[str, t.Any]:
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(b""), "size": 0, **fields}


def apk_index(text: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("APKINDEX")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return gzip.compress(buffer.getvalue())


IDENTITY = {
    "uid": f"{UID}/{'0' * 16}",
    "name": "token",
    "description": "Managed by cgr.pull_through for c",
    "createTime": TIME,
    "staticKeys": {
        "issuer": "https://pulltoken.issuer.chainguard.dev",
        "subject": "ansible-pull-token-1",
        "issuerKeys": '{"keys": [{"n": "x"}]}',
        "expirationTime": TIME,
    },
}
REPO = {"uid": f"{UID}/{'0' * 16}", "name": "nginx", "updateTime": TIME}
TAG = {"uid": f"{REPO['uid']}/{'0' * 16}", "name": "latest", "digest": digest(b""), "updateTime": TIME}
IMAGE = {"uid": TAG["uid"], "digest": digest(b"")}
CONFIG = {
    "key": "sources",
    "rclass": "remote",
    "packageType": "docker",
    "url": "https://cgr.dev/",
    "repositories": ["all"],
}
ACTIONS = {"users": {"u": ["READ"]}, "groups": {"g": ["READ"]}}
INDEX = {
    "schemaVersion": 2,
    "manifests": [descriptor(platform={"os": "linux", "architecture": "amd64"}, annotations={})],
}
MANIFEST = {"schemaVersion": 2, "config": descriptor(data=base64.b64encode(b"").decode()), "layers": [descriptor()]}
LEAF = {
    "catalogEntry": {"version": "1.0", "packageHash": "", "packageHashAlgorithm": "SHA512"},
    "packageContent": f"{URL}/f",
}
APK = apk_index(b"P:lab\nV:1.0-r0\nS:0\nC:Q1\n\n")
METADATA = "<metadata><versioning><release>1</release><versions><version>1</version></versions></versioning></metadata>"
SIMPLE = '<html><a href="../packages/lab-1.0.tar.gz#sha256=00">lab-1.0.tar.gz</a></html>'
CHALLENGE = {"WWW-Authenticate": f'Bearer realm="{URL}/token",service="s"'}
NUGET = {"resources": [{"@type": "RegistrationsBaseUrl", "@id": f"{URL}/reg"}]}

CALLS: dict[str, Call] = {
    "organization": Call(
        {"groups": {"groups": [{"uid": UID, "name": "o"}], "nextPageToken": ""}}, iam(lambda i: i.organization("o"))
    ),
    "folders": Call({"groups": {"groups": [{"uid": f"{UID}/1", "name": "charts"}]}}, iam(lambda i: i.folders(UID))),
    "managed_role": Call(
        {"roles": {"roles": [{"uid": UID, "name": "r", "capabilities": ["c"]}]}}, iam(lambda i: i.managed_role("r"))
    ),
    "identities": Call(
        {"identities": {"identities": [IDENTITY]}},
        iam(lambda i: [token and token.to_result(0.0) for token in map(PullToken.from_identity, i.identities(UID))]),
    ),
    "identity": Call({"identities": IDENTITY}, iam(lambda i: PullToken.from_identity(i.identity(UID)))),
    "create_identity": Call(
        {"identities": IDENTITY}, iam(lambda i: PullToken.from_identity(i.create_identity(UID, {})))
    ),
    "role_bindings": Call(
        {"roleBindings": {"roleBindings": [{"identity": {"uid": UID}, "role": {"name": "r"}}]}},
        iam(lambda i: i.is_bound(UID, UID, "r")),
    ),
    "capabilities": Call(
        {"auth": {"capabilities": [{"group": UID, "capabilities": ["CAP_IAM_GROUPS_LIST"]}]}},
        iam(lambda i: sorted(i.granted_capabilities(UID))),
    ),
    "catalog": Call({"repos": {"repos": [REPO]}, "tags": {"tags": [TAG]}}, catalog(lambda c: c.select(ImageFilter()))),
    "catalog_newest": Call(
        {"repos": {"repos": [REPO]}, "tags": {"tags": [TAG]}},
        catalog(lambda c: c.select(ImageFilter(tags=(), limit=1))),
    ),
    "catalog_find": Call({"repos": {"repos": [REPO]}, "tags": {"tags": [TAG]}}, catalog(lambda c: c.find(["nginx"]))),
    "tag_history": Call(
        {"repos": {"repos": [REPO]}, "history": {"items": [{"digest": digest(b""), "updateTimestamp": TIME}]}},
        catalog(lambda c: c.history(IMAGE)),
    ),
    "image_size": Call(
        {"architectures": {"architectures": ["amd64"]}, "size": {"size": "17"}, "repos": {"repos": [REPO]}},
        catalog(lambda c: c.size(IMAGE, ["all"])),
    ),
    "remediated_libraries": Call(
        {"openvex": {"entries": [{"id": "pypi/a.openvex.json", "modified": TIME}]}},
        lambda transport: list_remediated(URL, transport),
    ),
    "token_exchange": Call(
        {"sts": {"token": "t"}}, lambda transport: Sts(URL, transport).exchange("t", audience="a", identity="i")
    ),
    "repository": Call({"repositories": CONFIG}, artifactory(lambda s: RepositoriesApi(s).get("sources"))),
    "repositories": Call(
        {"configurations": {"REMOTE": [CONFIG]}}, artifactory(lambda s: RepositoriesApi(s).list_all())
    ),
    "repositories_by_key": Call(
        {"configurations": {"REMOTE": [CONFIG]}}, artifactory(lambda s: RepositoriesApi(s).list_by_keys(["sources"]))
    ),
    "repository_rows": Call(
        {
            "license": {},
            "configurations": None,
            "api/repositories/sources": CONFIG,
            "api/repositories": [{"key": "sources"}],
        },
        artifactory(lambda s: RepositoriesApi(s).list_all()),
    ),
    "members": Call(
        {"configurations": {"VIRTUAL": [CONFIG]}},
        artifactory(lambda s: RepositorySnapshot(RepositoriesApi(s), bulk=True).resolve_members(["sources"])),
    ),
    "version": Call({"version": {"version": "7.104.2"}}, artifactory(lambda s: type(permissions_api(s)).__name__)),
    "cache_root": Call({"storage": {"children": [{"uri": "/a"}]}}, artifactory(lambda s: CacheApi(s).list_folder("k"))),
    "cached_copy": Call(
        {"storage": {"lastUpdated": TIME, "checksums": {"sha256": "a"}, "lastDownloaded": 1}},
        artifactory(lambda s: str(CacheApi(s).copy("k", "a"))),
    ),
    "cache_search": Call(
        {"aql": {"results": [{"path": ".", "name": "a", "size": 1}]}},
        artifactory(lambda s: [file.size for file in CacheApi(s).files("k", only_markers=False)[0]]),
    ),
    "cache_files": Call(
        {"storage": {"files": [{"uri": "/a", "size": 1}]}},
        artifactory(lambda s: [file.size for file in CacheApi(s).files("k", only_markers=False)[0]]),
    ),
    "access_token": Call(
        {"tokens": {"access_token": "t", "token_id": "i", "expires_in": 1, "subject": "s"}},
        artifactory(lambda s: TokensApi(s).create({})),
    ),
    "stored_token": Call({"tokens": {"token_id": "i", "subject": "s"}}, artifactory(lambda s: TokensApi(s).get("i"))),
    "access_permission": Call(
        {
            "permissions": {
                "resources": {
                    "artifact": {"actions": ACTIONS, "targets": {"k": {"include_patterns": ["**"]}}},
                    "build": {},
                }
            }
        },
        artifactory(lambda s: AccessPermissions(s).get("p")),
    ),
    "classic_permission": Call(
        {"permissions": {"name": "p", "repo": {"actions": ACTIONS, "repositories": ["k"], "include-patterns": ["**"]}}},
        artifactory(lambda s: ClassicPermissions(s).get("p")),
    ),
    "index": Call({"manifests": INDEX, "v2": {}}, registry(lambda r: r.get_manifest("a/b", "1"))),
    "manifest": Call({"manifests": MANIFEST, "v2": {}}, registry(lambda r: r.get_manifest("a/b", "1"))),
    "referrers": Call({"referrers": INDEX, "v2": {}}, registry(lambda r: r.list_referrers("a/b", digest(b"")))),
    "registry_token": Call(
        {"token": {"token": "t", "access_token": "t", "expires_in": 300}, "v2": {}},
        registry(lambda r: r.get_manifest("a/b", "1")),
        CHALLENGE,
    ),
    "npm": Call(
        {
            "lab.tgz": "x",
            "lab": {
                "dist-tags": {"latest": "1.0.0"},
                "versions": {
                    "1.0.0": {"dist": {"tarball": f"{URL}/lab.tgz", "integrity": "sha512-AA==", "shasum": ""}}
                },
            },
        },
        package("npm", "lab"),
    ),
    "nuget": Call(
        {"reg": {"items": [{"@id": f"{URL}/page", "items": [LEAF]}]}, "page": {"items": [LEAF]}, "/f": "x", "": NUGET},
        package("nuget", "lab"),
    ),
    "nuget_versions": Call(
        {
            "index.json": {"versions": ["1.0"]},
            "nupkg": "x",
            "": {"resources": [{"@type": "PackageBaseAddress/3.0.0", "@id": f"{URL}/flat"}]},
        },
        package("nuget", "lab"),
    ),
    "go": Call({"list": "v1.0.0\n", "latest": {"Version": "v1.0.0"}, "info": "x"}, package("go", "example.com/lab")),
    "go_latest": Call({"list": "", "latest": {"Version": "v1.0.0"}, "info": "x"}, package("go", "example.com/lab")),
    "maven": Call({"metadata": METADATA, "sha256": digest(b"x")[7:], "pom": "x"}, package("maven", "com.example:lab")),
    "pypi": Call({"tar.gz": "x", "lab": SIMPLE}, package("pypi", "lab")),
    "alpine": Call({"APKINDEX": APK, "lab": ""}, package("alpine", "lab")),
    "image_config": Call(
        {"blobs": "{}", "v2": {}},
        registry(lambda r: r.get_config("a/b", Descriptor("", digest(b"{}"), 2))),
    ),
}


def encode(document: t.Any) -> bytes:
    """Return the body of a document."""
    if isinstance(document, bytes):
        return document
    return document.encode("utf-8", "surrogatepass") if isinstance(document, str) else json.dumps(document).encode()


def respond(call: Call, documents: t.Mapping[str, t.Any], status: int = 200) -> CannedTransport:
    """Return a transport with these documents. With headers, the first request to /v2/ gets a challenge."""
    responses: dict[str, tuple[int, bytes, dict[str, str]]] = {
        key: (404 if document is None else status, encode(document), {}) for key, document in documents.items()
    }
    if call.headers:
        responses["v2"] = (401, b"{}", call.headers)
    return CannedTransport(responses)
