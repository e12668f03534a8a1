# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Third-party clients against the lab, and registry_pull against a third-party registry."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pyartifactory
import pytest
from artifactory import ArtifactoryPath
from dohq_artifactory import RepositoryRemote, RepositoryVirtual
from pyartifactory.exception import RepositoryNotFoundError
from pyartifactory.models import RemoteRepository, VirtualRepository
from pyartifactory.models.permission import PermissionEnumV2, PermissionV2
from pyartifactory.models.repository import PackageTypeEnum
from pyartifactory.models.user import NewUser

from support.developer import CONTAINERS_CONF
from support.lab_client import ANONYMOUS, Json, LabClient
from support.playbook_runner import PlaybookRunner, Run, build_environment, write_private_json
from support.programs import find_program
from support.scenario import PRIVATE, PUBLIC
from support.services import TokenService, run_docker_registry


@dataclasses.dataclass(frozen=True)
class Image:
    """An image of Chainguard, and the repository that serves it."""

    key: str
    name: str

    def reference(self, lab: LabClient) -> str:
        """Return the reference for a pull through Artifactory."""
        return f"{lab.host}/{self.key}/{self.name}:latest"

    def digest(self, lab: LabClient) -> str:
        """Return the digest in Chainguard's registry."""
        credentials = workload_credentials(lab) if self.key == PRIVATE else ANONYMOUS
        return lab.upstream_digest(self.name, credentials=credentials)


def workload_credentials(lab: LabClient) -> tuple[str, str]:
    """Return credentials that may pull the organization's images."""
    return lab.workload["identity"], lab.workload["oidc_token"]


IMAGES = [
    pytest.param(Image(PUBLIC, "chainguard/wolfi-base"), id="public"),
    pytest.param(Image(PRIVATE, "example.com/nginx"), id="private"),
]


@pytest.fixture(scope="module")
def repository_lab(running_lab: LabClient) -> LabClient:
    """A lab whose Artifactory has both repositories."""
    running_lab.reset()
    username, password = workload_credentials(running_lab)
    running_lab.create_repository(PUBLIC)
    running_lab.create_repository(PRIVATE, username=username, password=password)
    return running_lab


# --- skopeo and podman ------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Client:
    """A container client with its own credentials, certificates and policy."""

    command: tuple[str, ...]
    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the program and return its output."""
        process = subprocess.run(
            [*self.command, *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            env=self.environment,
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    def log_in(self, lab: LabClient) -> Client:
        """Log in to Artifactory as `docker login` does, with a user name and an access token."""
        arguments = ("login", *self.certificates(), "--username", "puller", "--password-stdin", lab.host)
        self(*arguments, stdin=lab.users["puller"]["token"])
        return self

    def certificates(self, prefix: str = "") -> tuple[str, str]:
        """Return the option that names the CA's folder."""
        return f"--{prefix}cert-dir", str(self.folder / "certificates")


def create_client(lab: LabClient, folder: Path, *command: str) -> Client:
    """Return a client of the lab's Artifactory that is logged in."""
    (folder / "certificates").mkdir()
    assert lab.ca_path
    shutil.copy(lab.ca_path, folder / "certificates" / "ca.crt")
    write_private_json(folder / "policy.json", {"default": [{"type": "insecureAcceptAnything"}]})
    (folder / "containers.conf").write_text(CONTAINERS_CONF, encoding="utf-8")
    environment = {
        **build_environment(folder),
        "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "XDG_RUNTIME_DIR": str(folder / "tmp"),
    }
    return Client(command, folder, environment).log_in(lab)


@pytest.fixture(scope="module")
def skopeo(repository_lab: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("skopeo")
    command = (find_program("skopeo"), "--policy", str(folder / "policy.json"))
    return create_client(repository_lab, folder, *command)


@pytest.fixture(scope="module")
def podman(repository_lab: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("podman")
    storage = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")
    return create_client(repository_lab, folder, find_program("podman"), *storage)


@pytest.mark.parametrize("image", IMAGES)
def test_skopeo_inspects_an_image(repository_lab: LabClient, skopeo: Client, image: Image) -> None:
    details = json.loads(skopeo("inspect", *skopeo.certificates(), f"docker://{image.reference(repository_lab)}"))
    assert details["Digest"] == image.digest(repository_lab)
    assert details["Name"] == f"{repository_lab.host}/{image.key}/{image.name}"
    assert "latest" in details["RepoTags"]
    assert len(details["Layers"]) == 2


@pytest.mark.parametrize("image", IMAGES)
def test_skopeo_copies_an_image_with_all_platforms(
    repository_lab: LabClient, skopeo: Client, image: Image, tmp_path: Path
) -> None:
    skopeo(
        "copy",
        "--all",
        *skopeo.certificates("src-"),
        f"docker://{image.reference(repository_lab)}",
        f"dir:{tmp_path}/copy",
    )
    index = (tmp_path / "copy" / "manifest.json").read_bytes()
    assert f"sha256:{hashlib.sha256(index).hexdigest()}" == image.digest(repository_lab)
    assert {entry["platform"]["architecture"] for entry in json.loads(index)["manifests"]} >= {"amd64", "arm64"}


@pytest.mark.parametrize("image", IMAGES)
def test_podman_pulls_an_image(repository_lab: LabClient, podman: Client, image: Image) -> None:
    reference = image.reference(repository_lab)
    policy = ("--signature-policy", str(podman.folder / "policy.json"))
    podman("pull", "--quiet", *policy, *podman.certificates(), reference)
    (stored,) = json.loads(podman("image", "inspect", reference))
    assert f"{repository_lab.host}/{image.key}/{image.name}@{image.digest(repository_lab)}" in stored["RepoDigests"]
    assert stored["Os"] == "linux"


# --- Python clients of the REST API -----------------------------------------------------------------------------------
@pytest.fixture
def rest(repository_lab: LabClient) -> pyartifactory.Artifactory:
    url, trusted = f"{repository_lab.artifactory_url}/artifactory", str(repository_lab.ca_path)
    return pyartifactory.Artifactory(url=url, access_token=repository_lab.admin_token, verify=trusted, api_version=2)


def test_pyartifactory_manages_a_remote_repository(repository_lab: LabClient, rest: pyartifactory.Artifactory) -> None:
    remote = functools.partial(RemoteRepository, key="pya", packageType=PackageTypeEnum.docker, url="https://cgr.dev/")
    created = rest.repositories.create_repo(remote(description="first"))
    assert (created.key, created.packageType, created.url) == ("pya", "docker", "https://cgr.dev/")
    updated = rest.repositories.update_repo(remote(enableTokenAuthentication=True))
    assert updated.description == "first"
    assert repository_lab.repositories()["pya"]["enableTokenAuthentication"] is True
    assert "pya" in {repository.key for repository in rest.repositories.list()}
    rest.repositories.delete("pya")
    with pytest.raises(RepositoryNotFoundError):
        rest.repositories.get_repo("pya")


def test_pyartifactory_manages_a_virtual_repository(repository_lab: LabClient, rest: pyartifactory.Artifactory) -> None:
    virtual = functools.partial(VirtualRepository, key="pya-virtual", packageType=PackageTypeEnum.docker)
    created = rest.repositories.create_repo(virtual(repositories=[PUBLIC]))
    assert created.repositories == [PUBLIC]
    updated = rest.repositories.update_repo(virtual(repositories=[PRIVATE, PUBLIC]))
    assert updated.repositories == [PRIVATE, PUBLIC]
    assert repository_lab.pull("pya-virtual", "chainguard/wolfi-base") == 200
    rest.repositories.delete("pya-virtual")
    with pytest.raises(RepositoryNotFoundError):
        rest.repositories.get_repo("pya-virtual")


def test_pyartifactory_manages_a_permission(repository_lab: LabClient, rest: pyartifactory.Artifactory) -> None:
    """With its user, as it sends them: with null for what is not set."""
    new_user = {"name": "pya-user", "password": secrets.token_hex(), "email": "pya@example.com"}
    user = rest.users.create(NewUser.model_validate(new_user))
    assert (user.name, user.email) == (new_user["name"], new_user["email"])
    repo = {"repositories": [PUBLIC], "actions": {"users": {user.name: ["read"]}}}
    created = rest.permissions.create(PermissionV2.model_validate({"name": "pya-permission", "repo": repo}))
    assert created.repo and created.repo.actions and created.repo.actions.users == {user.name: [PermissionEnumV2.read]}
    granted = repository_lab.permissions()["pya-permission"]["artifact"]["actions"]
    assert granted == {"users": {user.name: ["READ"]}, "groups": {}}
    rest.permissions.delete("pya-permission")
    rest.users.delete(user.name)
    assert "pya-permission" not in repository_lab.permissions()


@pytest.fixture
def path(repository_lab: LabClient, monkeypatch: pytest.MonkeyPatch) -> ArtifactoryPath:
    credentials = ("admin", repository_lab.users["admin"]["password"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(repository_lab.ca_path))  # its repository API ignores `verify`
    return ArtifactoryPath(f"{repository_lab.artifactory_url}/artifactory", auth=credentials)


def test_dohq_artifactory_manages_a_remote_repository(repository_lab: LabClient, path: ArtifactoryPath) -> None:
    remote = RepositoryRemote(path, "dohq-remote", url="https://cgr.dev/", package_type="docker")
    assert remote.read() is False
    remote.create()
    assert repository_lab.repositories()["dohq-remote"]["url"] == "https://cgr.dev/"
    remote.description = "changed"
    remote.update()
    repository = path.find_repository("dohq-remote")
    assert (repository.description, repository.package_type) == ("changed", "docker")
    remote.delete()
    assert remote.read() is False


def test_dohq_artifactory_manages_a_virtual_repository(repository_lab: LabClient, path: ArtifactoryPath) -> None:
    virtual = RepositoryVirtual(path, "dohq-virtual", repositories=[PUBLIC], package_type="docker")
    virtual.create()
    virtual.add_repository(PRIVATE)
    virtual.update()
    assert repository_lab.repositories()["dohq-virtual"]["repositories"] == [PUBLIC, PRIVATE]
    virtual.delete()
    assert virtual.read() is False


def test_dohq_artifactory_finds_a_cached_file(repository_lab: LabClient, path: ArtifactoryPath) -> None:
    """By a search, and by the storage API; without properties, which the lab does not have."""
    assert repository_lab.pull(PUBLIC, "chainguard/wolfi-base") == 200
    criteria = {"repo": f"{PUBLIC}-cache", "path": "chainguard/wolfi-base/latest", "name": {"$match": "*.json"}}
    (row,) = path.aql("items.find", criteria)
    file = path.from_aql(row)
    digest = f"sha256:{file.stat().sha256}"
    assert digest == repository_lab.upstream_digest("chainguard/wolfi-base") and file.properties == {}
    file.unlink()
    assert not file.exists()


AIOARTIFACTORY = """
import asyncio, json, pathlib, ssl, sys
from aioartifactory import AIOArtifactory, RemotePath

folder, name, token, ca_path = sys.argv[1:]
options = {"api_key": token, "ssl": ssl.create_default_context(cafile=ca_path)}

async def download():
    files = await AIOArtifactory(**options).retrieve(folder, [pathlib.Path.cwd()], recursive=True)
    return files, await RemotePath(f"{folder}/{name}", **options).sha256

print(json.dumps(asyncio.run(download())))
"""


def test_aioartifactory_downloads_a_folder_of_a_cache(repository_lab: LabClient, tmp_path: Path) -> None:
    """A process of its own, since it leaves files and sockets open. With `token` instead of `api_key`, it fails by itself."""
    url = f"https://virtualapk.cgr.dev/{repository_lab.organization['uid']}/chainguard"
    repository_lab.create_repository("aio", packageType="alpine", url=url, disableUrlNormalization=True)
    content = repository_lab.read_file("aio/x86_64/APKINDEX.tar.gz")
    folder = f"{repository_lab.artifactory_url}/artifactory/aio-cache/x86_64"
    arguments = [folder, "APKINDEX.tar.gz", repository_lab.admin_token, str(repository_lab.ca_path)]
    command = [sys.executable, "-c", AIOARTIFACTORY, *arguments]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
    (file,), checksum = json.loads(process.stdout.splitlines()[-1])
    assert Path(file).read_bytes() == content
    assert checksum == hashlib.sha256(content).hexdigest()


# --- docker-registry as a cache of cgr.dev ----------------------------------------------------------------------------
def test_docker_registry_caches_images_of_chainguard(repository_lab: LabClient, skopeo: Client, tmp_path: Path) -> None:
    """It sends HEAD for each blob first, so it only works if cgr.dev does not redirect that to the object store."""
    program, image = find_program("docker-registry"), "example.com/nginx"
    username, password = workload_credentials(repository_lab)
    proxy = {"remoteurl": repository_lab.registry_url, "username": username, "password": password}
    with run_docker_registry(program, tmp_path, ca_path=repository_lab.ca_path, proxy=proxy) as url:
        command = ("copy", "--all", "--src-tls-verify=false", f"docker://{url.partition('//')[2]}/{image}:latest")
        with pytest.raises(AssertionError, match="reading blob"):
            skopeo(*command, f"dir:{tmp_path}/redirected")
        repository_lab.configure(registry_blob_head="served")
        try:
            skopeo(*command, f"dir:{tmp_path}/served")
        finally:
            repository_lab.configure(registry_blob_head="redirected")
    index = (tmp_path / "served" / "manifest.json").read_bytes()
    digest = repository_lab.upstream_digest(image, credentials=(username, password))
    assert f"sha256:{hashlib.sha256(index).hexdigest()}" == digest


# --- registry_pull against docker-registry ----------------------------------------------------------------------------
NAME = "base/go"
# What htpasswd would write for the password of TokenService, with bcrypt, the only form that docker-registry takes.
PASSWORD_HASH = "$2b$04$abcdefghijklmnopqrstuu0hyGJx13YZTKyLzp7PRcW0SH/6pAr9i"


@dataclasses.dataclass(frozen=True)
class Pulls:
    """A run of registry_pull with the options of each case. digest: of the image in docker-registry."""

    run: Run
    digest: str

    def image(self, name: str) -> Json:
        """Return the result of a task's one image."""
        (image,) = self.run.task(name).result["images"]
        return t.cast(Json, image)


@pytest.fixture(scope="module")
def pulls(
    repository_lab: LabClient, skopeo: Client, run_playbook: PlaybookRunner, tmp_path_factory: pytest.TempPathFactory
) -> Pulls:
    """Serve the same content with three processes: one is anonymous, the others need a token or a password."""
    program, folder = find_program("docker-registry"), tmp_path_factory.mktemp("docker-registry")
    service = TokenService(folder)
    user, password = service.user
    passwords = folder / "passwords"
    passwords.write_text(f"{user}:{PASSWORD_HASH}\n", encoding="ascii")
    with (
        run_docker_registry(program, folder) as anonymous,
        service.serve() as realm,
        run_docker_registry(program, folder, auth=service.registry_auth(realm)) as protected,
        run_docker_registry(program, folder, auth={"htpasswd": {"realm": "basic", "path": str(passwords)}}) as basic,
    ):
        source = f"docker://{repository_lab.registry_url.partition('//')[2]}/chainguard/go:latest"
        target = f"docker://{anonymous.partition('//')[2]}/{NAME}:latest"
        skopeo("copy", "--all", *skopeo.certificates("src-"), "--dest-tls-verify=false", source, target)
        repository_lab.create_repository("remote-anonymous", url=anonymous)
        repository_lab.create_repository("remote-protected", url=protected, username=user, password=password)
        hosts = {"token_service_hosts": [realm.split("/")[2]]}
        settings = {"enableTokenAuthentication": False, "username": user, "password": password}
        repository_lab.create_repository("remote-basic", url=basic, **settings)
        credentials = {"username": user, "password": password}
        verification = {"from_upstream": "required", "upstream_url": anonymous}
        cases: dict[str, Json] = {
            "anonymous": {"registry_url": anonymous, "platforms": ["all"]},
            "protected": {"registry_url": protected, **credentials, **hosts},
            "htpasswd": {"registry_url": basic, **credentials},
            "protected, wrong password": {"registry_url": protected, "username": user, "password": "wrong", **hosts},
            "protected, unnamed host": {"registry_url": protected, **credentials},
            "htpasswd, wrong password": {"registry_url": basic, "username": user, "password": "wrong"},
            "protected, no credentials": {"registry_url": protected},
            "Artifactory, anonymous": {"repository": "remote-anonymous", **verification},
            "Artifactory, protected": {"repository": "remote-protected", **verification},
            "Artifactory, htpasswd": {"repository": "remote-basic", **verification},
        }
        tasks = [
            {"name": case, "cgr.pull_through.registry_pull": {"images": [NAME], **options}}
            for case, options in cases.items()
        ]
        run = run_playbook.run_tasks(tasks, repository_lab.module_defaults("manager"))
    return Pulls(run, repository_lab.upstream_digest("chainguard/go"))


@pytest.mark.parametrize(
    "case",
    [
        "anonymous",
        "protected",
        "htpasswd",
        *(f"Artifactory, {each}" for each in ("anonymous", "protected", "htpasswd")),
    ],
)
def test_registry_pull_pulls_from_docker_registry(pulls: Pulls, case: str) -> None:
    assert pulls.run.task(case).status == "ok", pulls.run.output
    image = pulls.image(case)
    assert image["digest"] == pulls.digest
    assert image["layers"] == 3 * len(image["platforms"])


def test_registry_pull_finds_all_platforms(pulls: Pulls) -> None:
    assert pulls.image("anonymous")["platforms"].keys() == {"linux/amd64", "linux/arm64"}


@pytest.mark.parametrize("case", ["Artifactory, anonymous", "Artifactory, protected", "Artifactory, htpasswd"])
def test_registry_pull_verifies_that_artifactory_pulled_from_docker_registry(pulls: Pulls, case: str) -> None:
    image = pulls.image(case)
    assert image["from_upstream"] is True
    assert image["upstream_digest"] == pulls.digest


@pytest.mark.parametrize("case", ["anonymous", "protected"])
def test_from_upstream_is_null_without_artifactory(pulls: Pulls, case: str) -> None:
    assert pulls.image(case)["from_upstream"] is None


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("protected, wrong password", "credentials_rejected"),
        ("htpasswd, wrong password", "credentials_rejected"),
        ("protected, no credentials", "unauthenticated"),
        ("protected, unnamed host", "credentials_withheld"),
    ],
)
def test_rejected_credentials_and_missing_credentials_have_different_codes(pulls: Pulls, case: str, code: str) -> None:
    assert pulls.run.task(case).status == "failed"
    assert pulls.image(case)["diagnosis"]["code"] == code
    assert "127.0.0.1" in pulls.image(case)["diagnosis"]["cause"]
