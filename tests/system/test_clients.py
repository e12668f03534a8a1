# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that nobody here wrote, against the lab; and registry_pull against a registry that nobody here wrote."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
import subprocess
import typing as t
from pathlib import Path

import pyartifactory
import pytest
from artifactory import ArtifactoryPath
from dohq_artifactory import RepositoryRemote, RepositoryVirtual
from pyartifactory.exception import RepositoryNotFoundError
from pyartifactory.models import RemoteRepository, VirtualRepository
from pyartifactory.models.repository import PackageTypeEnum

from lab.tests.programs import program
from support.developer import CONTAINERS_CONF
from support.lab_client import ANONYMOUS, Json, LabClient
from support.playbook_runner import PlaybookRunner, Run, clean_environment, private_file
from support.services import TokenService, docker_registry

PUBLIC, PRIVATE = "cgr-public", "cgr-private"


@dataclasses.dataclass(frozen=True)
class Image:
    """An image of Chainguard's, and the repository that serves it."""

    key: str
    name: str

    def through(self, lab: LabClient) -> str:
        """Return the image as users name it who pull through Artifactory."""
        return f"{lab.host}/{self.key}/{self.name}:latest"

    def digest(self, lab: LabClient) -> str:
        """Return the digest that Chainguard's own registry has."""
        return lab.upstream_digest(self.name, login=workload(lab) if self.key == PRIVATE else ANONYMOUS)


def workload(lab: LabClient) -> tuple[str, str]:
    """Return a login that may pull the organization's images."""
    return lab.workload["identity"], lab.workload["oidc_token"]


IMAGES = [
    pytest.param(Image(PUBLIC, "chainguard/wolfi-base"), id="public"),
    pytest.param(Image(PRIVATE, "example.com/nginx"), id="private"),
]


@pytest.fixture(scope="module")
def served(running_lab: LabClient) -> LabClient:
    """A lab in whose Artifactory both repositories are."""
    running_lab.reset()
    username, password = workload(running_lab)
    running_lab.create_repository(PUBLIC)
    running_lab.create_repository(PRIVATE, username=username, password=password)
    return running_lab


# --- skopeo and podman ------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Client:
    """A container client with files of its own: login, certificates and policy are none of this machine's."""

    command: tuple[str, ...]
    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """Return what it prints."""
        ended = subprocess.run(
            [*self.command, *arguments],
            input=given,
            capture_output=True,
            encoding="utf-8",
            env=self.environment,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def log_in(self, lab: LabClient) -> Client:
        """Log in to Artifactory as `docker login` does, with a user and their access token."""
        words = ("login", *self.certificates(), "--username", "puller", "--password-stdin", lab.host)
        self(*words, given=lab.users["puller"]["token"])
        return self

    def certificates(self, prefix: str = "") -> tuple[str, str]:
        """Return the option that names the CA's folder."""
        return f"--{prefix}cert-dir", str(self.folder / "certificates")


def client(lab: LabClient, folder: Path, *command: str) -> Client:
    (folder / "certificates").mkdir()
    assert lab.ca_path
    shutil.copy(lab.ca_path, folder / "certificates" / "ca.crt")
    private_file(folder / "policy.json", {"default": [{"type": "insecureAcceptAnything"}]})
    (folder / "containers.conf").write_text(CONTAINERS_CONF, encoding="utf-8")
    environment = {
        **clean_environment(folder),
        "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "XDG_RUNTIME_DIR": str(folder / "tmp"),
    }
    return Client(command, folder, environment)


@pytest.fixture(scope="module")
def skopeo(served: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("skopeo")
    command = (program("skopeo"), "--policy", str(folder / "policy.json"))
    return client(served, folder, *command).log_in(served)


@pytest.fixture(scope="module")
def podman(served: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("podman")
    storage = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")
    return client(served, folder, program("podman"), *storage).log_in(served)


@pytest.mark.parametrize("image", IMAGES)
def test_skopeo_inspects_an_image(served: LabClient, skopeo: Client, image: Image) -> None:
    told = json.loads(skopeo("inspect", *skopeo.certificates(), f"docker://{image.through(served)}"))
    assert told["Digest"] == image.digest(served)
    assert told["Name"] == f"{served.host}/{image.key}/{image.name}"
    assert "latest" in told["RepoTags"]
    assert len(told["Layers"]) == 2


@pytest.mark.parametrize("image", IMAGES)
def test_skopeo_copies_an_image_with_all_platforms(
    served: LabClient, skopeo: Client, image: Image, tmp_path: Path
) -> None:
    skopeo("copy", "--all", *skopeo.certificates("src-"), f"docker://{image.through(served)}", f"dir:{tmp_path}/copy")
    index = (tmp_path / "copy" / "manifest.json").read_bytes()
    assert f"sha256:{hashlib.sha256(index).hexdigest()}" == image.digest(served)
    assert {entry["platform"]["architecture"] for entry in json.loads(index)["manifests"]} >= {"amd64", "arm64"}


@pytest.mark.parametrize("image", IMAGES)
def test_podman_pulls_an_image(served: LabClient, podman: Client, image: Image) -> None:
    reference = image.through(served)
    policy = ("--signature-policy", str(podman.folder / "policy.json"))
    podman("pull", "--quiet", *policy, *podman.certificates(), reference)
    (stored,) = json.loads(podman("image", "inspect", reference))
    assert f"{served.host}/{image.key}/{image.name}@{image.digest(served)}" in stored["RepoDigests"]
    assert stored["Os"] == "linux"


# --- Python clients of the REST API -----------------------------------------------------------------------------------
@pytest.fixture
def rest(served: LabClient) -> pyartifactory.Artifactory:
    url, trusted = f"{served.artifactory_url}/artifactory", str(served.ca_path)
    return pyartifactory.Artifactory(url=url, access_token=served.admin_token, verify=trusted)


def test_pyartifactory_manages_a_remote_repository(served: LabClient, rest: pyartifactory.Artifactory) -> None:
    remote = functools.partial(RemoteRepository, key="pya", packageType=PackageTypeEnum.docker, url="https://cgr.dev/")
    created = rest.repositories.create_repo(remote(description="made"))
    assert (created.key, created.packageType, created.url) == ("pya", "docker", "https://cgr.dev/")
    updated = rest.repositories.update_repo(remote(enableTokenAuthentication=True))
    assert updated.description == "made"
    assert served.repositories()["pya"]["enableTokenAuthentication"] is True
    assert "pya" in {repository.key for repository in rest.repositories.list()}
    rest.repositories.delete("pya")
    with pytest.raises(RepositoryNotFoundError):
        rest.repositories.get_repo("pya")


def test_pyartifactory_manages_a_virtual_repository(served: LabClient, rest: pyartifactory.Artifactory) -> None:
    virtual = functools.partial(VirtualRepository, key="pya-virtual", packageType=PackageTypeEnum.docker)
    created = rest.repositories.create_repo(virtual(repositories=[PUBLIC]))
    assert created.repositories == [PUBLIC]
    updated = rest.repositories.update_repo(virtual(repositories=[PRIVATE, PUBLIC]))
    assert updated.repositories == [PRIVATE, PUBLIC]
    assert served.pull("pya-virtual", "chainguard/wolfi-base") == 200
    rest.repositories.delete("pya-virtual")
    with pytest.raises(RepositoryNotFoundError):
        rest.repositories.get_repo("pya-virtual")


@pytest.fixture
def path(served: LabClient, monkeypatch: pytest.MonkeyPatch) -> ArtifactoryPath:
    login = ("admin", served.users["admin"]["password"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(served.ca_path))  # what it says of repositories ignores its own verify
    return ArtifactoryPath(f"{served.artifactory_url}/artifactory", auth=login)


def test_dohq_artifactory_manages_a_remote_repository(served: LabClient, path: ArtifactoryPath) -> None:
    remote = RepositoryRemote(path, "dohq-remote", url="https://cgr.dev/", package_type="docker")
    assert remote.read() is False
    remote.create()
    assert served.repositories()["dohq-remote"]["url"] == "https://cgr.dev/"
    remote.description = "changed"
    remote.update()
    found = path.find_repository("dohq-remote")
    assert (found.description, found.package_type) == ("changed", "docker")
    remote.delete()
    assert remote.read() is False


def test_dohq_artifactory_manages_a_virtual_repository(served: LabClient, path: ArtifactoryPath) -> None:
    virtual = RepositoryVirtual(path, "dohq-virtual", repositories=[PUBLIC], package_type="docker")
    virtual.create()
    virtual.add_repository(PRIVATE)
    virtual.update()
    assert served.repositories()["dohq-virtual"]["repositories"] == [PUBLIC, PRIVATE]
    virtual.delete()
    assert virtual.read() is False


# --- registry_pull against docker-registry ----------------------------------------------------------------------------
NAME = "base/go"


@dataclasses.dataclass(frozen=True)
class Pulls:
    """One run of registry_pull in several ways. digest: of the image that docker-registry got."""

    run: Run
    digest: str

    def image(self, name: str) -> Json:
        """Return the result of a task's one image."""
        (image,) = self.run.task(name).result["images"]
        return t.cast(Json, image)


@pytest.fixture(scope="module")
def pulls(
    served: LabClient, skopeo: Client, run_playbook: PlaybookRunner, tmp_path_factory: pytest.TempPathFactory
) -> Pulls:
    """One content, served by two processes: one asks nobody, the other wants tokens."""
    registry, folder = program("docker-registry"), tmp_path_factory.mktemp("docker-registry")
    service = TokenService(folder)
    user, password = service.user
    with (
        docker_registry(registry, folder) as plain,
        service.serve() as realm,
        docker_registry(registry, folder, auth=service.settings(realm)) as closed,
    ):
        source = f"docker://{served.registry_url.partition('//')[2]}/chainguard/go:latest"
        target = f"docker://{plain.partition('//')[2]}/{NAME}:latest"
        skopeo("copy", "--all", *skopeo.certificates("src-"), "--dest-tls-verify=false", source, target)
        served.create_repository("in-front-of-plain", url=plain)
        served.create_repository("in-front-of-closed", url=closed, username=user, password=password)
        login, upstream = {"username": user, "password": password}, {"upstream_url": plain}
        proof = {"from_upstream": "required", **upstream}
        ways: dict[str, Json] = {
            "plain": {"registry_url": plain, "platforms": ["all"]},
            "closed": {"registry_url": closed, **login},
            "closed, wrong password": {"registry_url": closed, "username": user, "password": "wrong"},
            "closed, no login": {"registry_url": closed},
            "Artifactory, plain": {"repository": "in-front-of-plain", **proof},
            "Artifactory, closed": {"repository": "in-front-of-closed", **proof},
        }
        tasks = [
            {"name": name, "cgr.pull_through.registry_pull": {"images": [NAME], **way}} for name, way in ways.items()
        ]
        run = run_playbook.tasks(tasks, served.defaults("manager"))
    return Pulls(run, served.upstream_digest("chainguard/go"))


@pytest.mark.parametrize("way", ["plain", "closed", "Artifactory, plain", "Artifactory, closed"])
def test_registry_pull_pulls_what_docker_registry_serves(pulls: Pulls, way: str) -> None:
    assert pulls.run.task(way).status == "ok", pulls.run.output
    image = pulls.image(way)
    assert image["digest"] == pulls.digest
    assert image["layers"] == 3 * len(image["platforms"])


def test_registry_pull_finds_all_platforms(pulls: Pulls) -> None:
    assert pulls.image("plain")["platforms"].keys() == {"linux/amd64", "linux/arm64"}


@pytest.mark.parametrize("way", ["Artifactory, plain", "Artifactory, closed"])
def test_registry_pull_proves_that_artifactory_asked_docker_registry(pulls: Pulls, way: str) -> None:
    image = pulls.image(way)
    assert image["from_upstream"] is True
    assert image["upstream_digest"] == pulls.digest


@pytest.mark.parametrize("way", ["plain", "closed"])
def test_without_artifactory_freshness_is_not_known(pulls: Pulls, way: str) -> None:
    assert pulls.image(way)["from_upstream"] is None


@pytest.mark.parametrize(
    ("way", "code"), [("closed, wrong password", "credentials_rejected"), ("closed, no login", "unauthenticated")]
)
def test_a_token_service_that_refuses_is_told_from_a_missing_login(pulls: Pulls, way: str, code: str) -> None:
    assert pulls.run.task(way).status == "failed"
    assert pulls.image(way)["diagnosis"]["code"] == code
    assert "127.0.0.1" in pulls.image(way)["diagnosis"]["cause"]
