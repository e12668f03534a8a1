# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images and charts through Artifactory with clients of registries: by tag and by digest, public and private."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from support.lab_client import ANONYMOUS, LabClient
from support.playbook_runner import build_environment, write_private_json
from support.scenario import PRIVATE, PUBLIC

CHARTS = "cgr-charts"


@dataclasses.dataclass(frozen=True)
class Client:
    """The commands of a program. login: with the access token in the file `token`. pull: prints the digest.

    images: whether it pulls images; otherwise, charts.
    """

    login: str
    pull: str
    images: bool = True


CLIENTS = {
    "crane": Client(
        "crane auth login {host} --username puller --password-stdin < token",
        "crane validate --platform linux/amd64 --remote {reference} && crane pull --format oci {reference} $(mktemp -d)"
        " && crane manifest {reference} | sha256sum",
    ),
    "oras": Client(
        "oras login {host} --username puller --password-stdin < token",
        "oras copy --no-tty --to-oci-layout {reference} $(mktemp -d):copy && oras manifest fetch {reference} | sha256sum",
    ),
    "regctl": Client(
        "regctl registry login {host} --user puller --pass-stdin < token",
        "regctl image copy --verbosity error {reference} ocidir://$(mktemp -d)"
        " && regctl manifest get --format raw-body {reference} | sha256sum",
    ),
    "containerd": Client("", "USERNAME=puller PASSWORD=$(cat token) containerd-pull {reference}"),
    "helm": Client(
        "helm registry login {host} --username puller --password-stdin < token",
        "helm pull oci://{chart} 2>&1",
        images=False,
    ),
}
CONTENT = {
    "public": (PUBLIC, "chainguard/wolfi-base", "latest"),
    "private": (PRIVATE, "example.com/nginx", "latest"),
    "chart": (CHARTS, "example.com/iamguarded-charts/lab-greeting", "1.1.0"),
}
CASES = [
    pytest.param(client, content, by, id=f"{client}-{content}-{by}")
    for client in CLIENTS
    for content in CONTENT
    for by in ("tag", "digest")
    if CLIENTS[client].images is (content != "chart")
]


@dataclasses.dataclass(frozen=True)
class Shell:
    """A home folder with the credentials of the clients that are logged in."""

    lab: LabClient
    home: Path
    programs: Path
    logged_in: set[str] = dataclasses.field(default_factory=set)

    def log_in(self, name: str) -> None:
        """Log in a client, once."""
        if name not in self.logged_in:
            self(CLIENTS[name].login.format(host=self.lab.host))
            self.logged_in.add(name)

    def __call__(self, script: str) -> str:
        """Run a script and return its output."""
        environment = {**build_environment(self.home), "SSL_CERT_FILE": str(self.lab.ca_path), "HOME": str(self.home)}
        environment["PATH"] = f"{self.programs}:{environment['PATH']}"
        process = subprocess.run(
            ["sh", "-ec", script],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout


@pytest.fixture(scope="module")
def shell(lab: LabClient, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Create the repositories, and the file with the access token."""
    credentials = {"username": lab.workload["identity"], "password": lab.workload["oidc_token"]}
    lab.create_repository(PUBLIC)
    lab.create_repository(PRIVATE, **credentials)
    lab.create_repository(CHARTS, packageType="helmoci", **credentials)
    home = tmp_path_factory.mktemp("home")
    write_private_json(home / "token", {}).write_text(lab.users["puller"]["token"], encoding="utf-8")
    return Shell(lab, home, programs)


@pytest.mark.parametrize(("name", "content", "by"), CASES)
def test_a_client_pulls_by_tag_and_by_digest(shell: Shell, name: str, content: str, by: str) -> None:
    shell.log_in(name)
    lab, (key, image, tag) = shell.lab, CONTENT[content]
    credentials = ANONYMOUS if key == PUBLIC else (lab.workload["identity"], lab.workload["oidc_token"])
    digest = lab.upstream_digest(image, tag, credentials=credentials)
    repository = f"{lab.host}/{key}/{image}"
    reference = f"{repository}:{tag}" if by == "tag" else f"{repository}@{digest}"
    chart = f"{repository} --version {tag}" if by == "tag" else reference
    assert digest.removeprefix("sha256:") in shell(CLIENTS[name].pull.format(reference=reference, chart=chart))


def test_containerd_pulls_each_manifest_and_blob(shell: Shell) -> None:
    lab, (key, image, tag) = shell.lab, CONTENT["public"]
    output = shell(CLIENTS["containerd"].pull.format(reference=f"{lab.host}/{key}/{image}:{tag}"))
    assert int(output.split()[1]) > 4


@pytest.mark.parametrize(
    ("name", "command"), [("crane", "crane catalog"), ("oras", "oras repo ls"), ("regctl", "regctl repo ls")]
)
def test_a_client_lists_the_images_of_the_host(shell: Shell, name: str, command: str) -> None:
    shell.log_in(name)
    assert f"{PRIVATE}/example.com/nginx" in shell(f"{command} {shell.lab.host}").splitlines()


def test_crane_rejects_attestations(shell: Shell) -> None:
    """Those of BuildKit have no layers that are archives. The lab's README.md refers to this."""
    shell.log_in("crane")
    image = f"{shell.lab.host}/{PUBLIC}/chainguard/wolfi-base:latest"
    output = shell(f"crane validate --remote {image} 2>&1 || true")
    failed = re.findall(r"image Manifests\[(\d)\]\(\S+\): validating layers: mismatched number of diffids", output)
    assert set(failed) == {"2", "3"}
    assert "PASS" in shell(f"crane validate --platform linux/amd64 --remote {image}")
