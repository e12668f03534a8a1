# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret shows: not in any output at -vvvv, not in a diff, a temporary file, a command line, or ansible-runner's artifacts."""

from __future__ import annotations

import base64
import dataclasses
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from support.lab_client import Json, LabClient
from support.playbook_runner import LONGEST_RUN, PlaybookRunner, Run, clean_environment, private_file
from support.secret_scan import Scanner, TokenScanner, Watch

KEY = "cgr-private"
SECRET = "a-secret/with+odd?characters"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlLW9mLWEtdG9rZW4tdGhhdC1pcy1sb25n"


# --- the scanner itself -----------------------------------------------------------------------------------------------
PLANTED = {
    "clear": f"password={SECRET};",
    "url": f"https://host/?password={quote(SECRET, safe='')}&x=1",
    **{
        f"base64 at {before}": f"Basic {base64.b64encode((before * 'u' + ':' + SECRET + 'tail').encode()).decode()}"
        for before in range(3)
    },
    "urlsafe base64": base64.urlsafe_b64encode(f"user:{SECRET}".encode()).decode(),
}


@pytest.mark.parametrize("how", PLANTED)
def test_the_scanner_finds_a_planted_secret(how: str) -> None:
    assert Scanner({"it": SECRET}).find(PLANTED[how].encode()) == {"it"}


def test_the_scanner_finds_a_part_of_a_token() -> None:
    assert Scanner({"it": TOKEN}).find(TOKEN[-60:].encode()) == {"it"}


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(f"password={TOKEN};", id="clear"),
        pytest.param(TOKEN.rpartition(".")[2], id="signature"),
        *(
            pytest.param(base64.b64encode(f"{'u' * before}:{TOKEN}".encode()).decode(), id=f"base64 at {before}")
            for before in range(3)
        ),
        pytest.param("x" + base64.urlsafe_b64encode(f"user:{TOKEN}".encode()).decode(), id="base64 behind a letter"),
    ],
)
def test_the_scanner_of_tokens_finds_a_planted_one(planted: str) -> None:
    assert TokenScanner([TOKEN, "e.e.another-signature-that-is-not-there"]).find(planted.encode()) == {
        TOKEN.rpartition(".")[2][:24].encode()
    }


def test_the_scanner_finds_any_private_key() -> None:
    assert Scanner({}).find(b"-----BEGIN RSA PRIVATE KEY-----") == {"a private key"}


def test_the_scanner_takes_nothing_else_for_a_secret() -> None:
    assert (
        Scanner({"it": SECRET, "token": TOKEN}).find(b"a-secret/with other characters eyJhbGciOiJSUzI1NiJ9.") == set()
    )


def test_the_watch_sees_a_command_line_and_a_file_that_is_gone_soon(tmp_path: Path) -> None:
    script = f"echo {SECRET} > {tmp_path}/file; sleep 0.5; rm {tmp_path}/file"
    with Watch(tmp_path) as watch:
        subprocess.run(["/bin/sh", "-c", script], check=True)
    scanner = Scanner({"it": SECRET})
    assert scanner.find(b"\n".join(watch.commands)) == {"it"}
    assert set(scanner.find_all(watch.files)) == {f"{tmp_path}/file"}
    assert not (tmp_path / "file").exists()


# --- what the plays leave behind --------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Evidence:
    """What five runs left behind, and the secrets that were in play."""

    runs: dict[str, Run]
    artifacts: list[tuple[str, bytes]]
    files: list[tuple[str, bytes]]
    commands: set[bytes]
    passwords: int
    scanner: Scanner


@pytest.fixture(scope="module")
def evidence(running_lab: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Set up by ansible-runner, set up again, mend and renew, fail, and check, each as talkative as Ansible can be."""
    lab, runs, passwords = running_lab, dict[str, Run](), set[str]()
    lab.reset()
    folder = tmp_path_factory.mktemp("secrets")
    run_playbook = PlaybookRunner(lambda: Path(tempfile.mkdtemp(dir=folder)))
    loud = ("-vvvv", "--diff")
    by_identity = {
        "chainguard_api_token": None,
        "chainguard_identity": lab.workload["identity"],
        "chainguard_identity_token": lab.workload["oidc_token"],
    }
    by_password = {
        "artifactory_access_token": None,
        "artifactory_username": "admin",
        "artifactory_password": lab.users["admin"]["password"],
    }

    def variables(**more: str | None) -> Json:
        return lab.variables(
            "containers", depth="manifest", source_overrides={"containers": {"images": ["nginx"]}}, **more
        )

    def note(name: str, run: Run) -> None:
        runs[name] = run
        passwords.add(lab.repositories()[KEY]["password"])

    with Watch(folder) as watch:
        note("runner", run_by_runner(folder / "runner", variables(), loud))
        note("again", run_playbook("cgr.pull_through.setup", variables(**by_identity), *loud))
        lab.set_config(KEY, url="https://cgr.dev/chainguard", enableTokenAuthentication=False)
        lab.advance(days=20)
        note("renewal", run_playbook("cgr.pull_through.setup", variables(**by_password), *loud))
        lab.advance(days=20)
        echo = f"no such header: Authorization: Bearer {lab.admin_token}"
        lab.inject_fault({"status": 400, "body": echo}, service="artifactory", kind="artifactory.repository.update")
        note("failure", run_playbook("cgr.pull_through.setup", variables(), *loud))

    secrets = {
        "Artifactory's access token": lab.admin_token,
        "Artifactory's password": lab.users["admin"]["password"],
        "the API token": lab.api_tokens["owner"],
        "the OIDC token": lab.workload["oidc_token"],
        **{f"pull token {number}": password for number, password in enumerate(sorted(passwords), 1)},
    }
    # These were given by us; everything else was left by the programs.
    left = [(place, data) for place, data in watch.files if Path(place).name != "variables.json"]
    artifacts = [(place, data) for place, data in left if "/artifacts/" in place]
    files = [(place, data) for place, data in left if "/artifacts/" not in place]
    return Evidence(runs, artifacts, files, watch.commands, len(passwords), Scanner(secrets))


def run_by_runner(folder: Path, variables: Json, loud: tuple[str, ...]) -> Run:
    """Run setup by ansible-runner, whose folder of artifacts is what AWX shows and keeps."""
    (folder / "project").mkdir(parents=True)
    given = private_file(folder / "variables.json", variables)
    words = " ".join(["--extra-vars", f"@{given}", *loud])
    command = ["ansible-runner", "run", str(folder), "--playbook", "cgr.pull_through.setup", "--cmdline", words]
    ended = subprocess.run(
        command,
        env=clean_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_RUN,
        check=False,
    )
    return Run(ended.returncode, ended.stdout + ended.stderr, (), folder)


def test_the_runs_were_what_they_should_be(evidence: Evidence) -> None:
    codes = {name: run.code for name, run in evidence.runs.items()}
    assert codes == {"runner": 0, "again": 0, "renewal": 0, "failure": 2}, evidence.runs["runner"].output
    assert evidence.runs["again"].changed == []
    assert f"Create or mend the repository | {KEY}" in evidence.runs["renewal"].changed
    assert evidence.passwords == 2
    assert "no such header" in evidence.runs["failure"].output


@pytest.mark.parametrize("name", ["runner", "again", "renewal", "failure"])
def test_no_secret_is_in_the_output(evidence: Evidence, name: str) -> None:
    output = evidence.runs[name].output
    assert "cgr.pull_through" in output
    assert evidence.scanner.find(output.encode()) == set()


def test_no_secret_is_in_the_artifacts_of_ansible_runner(evidence: Evidence) -> None:
    assert any("/job_events/" in place for place, _data in evidence.artifacts)
    assert evidence.scanner.find_all(evidence.artifacts) == {}


def test_no_secret_is_in_a_file_even_for_a_moment(evidence: Evidence) -> None:
    assert any("/home/.ansible/tmp/" in place for place, _data in evidence.files)
    assert evidence.scanner.find_all(evidence.files) == {}


def test_no_secret_is_in_a_command_line(evidence: Evidence) -> None:
    assert any(b"ansible-playbook" in command for command in evidence.commands)
    assert evidence.scanner.find(b"\n".join(evidence.commands)) == set()
