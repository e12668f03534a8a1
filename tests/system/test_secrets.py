# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret in any output at -vvvv, in a diff, a temporary file, a command line, or the artifacts of ansible-runner."""

from __future__ import annotations

import base64
import dataclasses
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from support.lab_client import Json, LabClient
from support.playbook_runner import MAX_RUN_SECONDS, PlaybookRunner, Run, build_environment, write_private_json
from support.secret_scan import SIGNATURE_LENGTH, Content, Monitor, Scanner, TokenScanner
from support.task_names import ENSURE_REPOSITORIES

KEY = "cgr-private"
SECRET = "a-secret/with+odd?characters"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlLW9mLWEtdG9rZW4tdGhhdC1pcy1sb25n"
VERBOSE = ("-vvvv", "--diff")


# --- the scanner ------------------------------------------------------------------------------------------------------
PLANTED = {
    "clear": f"password={SECRET};",
    "url": f"https://host/?password={quote(SECRET, safe='')}&x=1",
    **{
        f"base64 at {offset}": f"Basic {base64.b64encode((offset * 'u' + ':' + SECRET + 'tail').encode()).decode()}"
        for offset in range(3)
    },
    "urlsafe base64": base64.urlsafe_b64encode(f"user:{SECRET}".encode()).decode(),
}


@pytest.mark.parametrize("form", PLANTED)
def test_the_scanner_finds_a_planted_secret(form: str) -> None:
    assert Scanner({"it": SECRET}).find(PLANTED[form].encode()) == {"it"}


def test_the_scanner_finds_a_part_of_a_token() -> None:
    assert Scanner({"it": TOKEN}).find(TOKEN[-60:].encode()) == {"it"}


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(f"password={TOKEN};", id="clear"),
        pytest.param(TOKEN.rpartition(".")[2], id="signature"),
        *(
            pytest.param(base64.b64encode(f"{'u' * offset}:{TOKEN}".encode()).decode(), id=f"base64 at {offset}")
            for offset in range(3)
        ),
        pytest.param("x" + base64.urlsafe_b64encode(f"user:{TOKEN}".encode()).decode(), id="base64 after a letter"),
    ],
)
def test_the_token_scanner_finds_a_planted_token(planted: str) -> None:
    scanner = TokenScanner([TOKEN, "e.e.another-signature-that-is-not-there"])
    assert scanner.find(planted.encode()) == {TOKEN.rpartition(".")[2][:SIGNATURE_LENGTH].encode()}


def test_the_scanner_finds_any_private_key() -> None:
    assert Scanner({}).find(b"-----BEGIN RSA PRIVATE KEY-----") == {"a private key"}


def test_the_scanner_finds_nothing_else() -> None:
    scanner = Scanner({"it": SECRET, "token": TOKEN})
    assert scanner.find(b"a-secret/with other characters eyJhbGciOiJSUzI1NiJ9.") == set()


def test_the_monitor_records_a_command_line_and_a_short_lived_file(tmp_path: Path) -> None:
    script = f"echo {SECRET} > {tmp_path}/file; sleep 0.5; rm {tmp_path}/file"
    with Monitor(tmp_path) as monitor:
        subprocess.run(["/bin/sh", "-c", script], check=True)
    scanner = Scanner({"it": SECRET})
    assert scanner.find(b"\n".join(monitor.commands)) == {"it"}
    assert set(scanner.find_all(monitor.files)) == {f"{tmp_path}/file"}
    assert not (tmp_path / "file").exists()


# --- what runs leave --------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Evidence:
    """What all runs left. scanner: for all secrets of the runs. passwords: how many pull tokens there were."""

    runs: dict[str, Run]
    artifacts: list[Content]
    files: list[Content]
    commands: set[bytes]
    passwords: int
    scanner: Scanner


@pytest.fixture(scope="module")
def evidence(running_lab: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Run setup in four ways with all the output that Ansible can print."""
    folder = tmp_path_factory.mktemp("secrets")
    running_lab.reset()
    with Monitor(folder) as monitor:
        runs, passwords = run_setups(running_lab, folder)
    secrets = {
        "Artifactory's access token": running_lab.admin_token,
        "Artifactory's password": running_lab.users["admin"]["password"],
        "the API token": running_lab.api_tokens["owner"],
        "the OIDC token": running_lab.workload["oidc_token"],
        **{f"pull token {number}": password for number, password in enumerate(sorted(passwords), 1)},
    }
    # The test wrote variables.json, and the programs wrote everything else.
    files = [(path, data) for path, data in monitor.files if Path(path).name != "variables.json"]
    artifacts = [(path, data) for path, data in files if "/artifacts/" in path]
    others = [(path, data) for path, data in files if "/artifacts/" not in path]
    return Evidence(runs, artifacts, others, monitor.commands, len(passwords), Scanner(secrets))


def run_setups(lab: LabClient, folder: Path) -> tuple[dict[str, Run], set[str]]:
    """Run setup with ansible-runner, again, with a rotation, and with a failure. Return the runs and all stored passwords."""
    runs, passwords = dict[str, Run](), set[str]()
    run_playbook = PlaybookRunner(lambda: Path(tempfile.mkdtemp(dir=folder)))
    with_password = {
        "artifactory_access_token": None,
        "artifactory_username": "admin",
        "artifactory_password": lab.users["admin"]["password"],
    }

    def variables(**overrides: str | None) -> Json:
        nginx = {"containers": {"images": ["nginx"]}}
        return lab.variables("containers", depth="manifest", source_overrides=nginx, **overrides)

    def record(name: str, run: Run) -> None:
        runs[name] = run
        passwords.add(lab.repositories()[KEY]["password"])

    record("runner", run_ansible_runner(folder / "runner", variables()))
    record("again", run_playbook("cgr.pull_through.setup", variables(**lab.workload_variables()), *VERBOSE))
    lab.set_config(KEY, url="https://cgr.dev/chainguard", enableTokenAuthentication=False)
    lab.advance(days=20)
    record("rotation", run_playbook("cgr.pull_through.setup", variables(**with_password), *VERBOSE))
    lab.advance(days=20)
    echo = f"no such header: Authorization: Bearer {lab.admin_token}"
    lab.inject_fault({"status": 400, "body": echo}, service="artifactory", kind="artifactory.repository.update")
    record("failure", run_playbook("cgr.pull_through.setup", variables(), *VERBOSE))
    return runs, passwords


def run_ansible_runner(folder: Path, variables: Json) -> Run:
    """Run setup with ansible-runner. AWX shows and keeps its folder of artifacts."""
    (folder / "project").mkdir(parents=True)
    extra_vars = write_private_json(folder / "variables.json", variables)
    arguments = " ".join(["--extra-vars", f"@{extra_vars}", *VERBOSE])
    command = ["ansible-runner", "run", str(folder), "--playbook", "cgr.pull_through.setup", "--cmdline", arguments]
    process = subprocess.run(
        command,
        env=build_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=MAX_RUN_SECONDS,
        check=False,
    )
    return Run(process.returncode, process.stdout + process.stderr, (), folder)


def test_the_runs_did_what_they_should(evidence: Evidence) -> None:
    codes = {name: run.code for name, run in evidence.runs.items()}
    assert codes == {"runner": 0, "again": 0, "rotation": 0, "failure": 2}, evidence.runs["runner"].output
    assert evidence.runs["again"].changed == []
    assert evidence.runs["rotation"].repository_results(ENSURE_REPOSITORIES)[KEY]["changed"]
    assert evidence.passwords == 2
    assert "no such header" in evidence.runs["failure"].output


@pytest.mark.parametrize("name", ["runner", "again", "rotation", "failure"])
def test_no_secret_is_in_the_output(evidence: Evidence, name: str) -> None:
    output = evidence.runs[name].output
    assert "cgr.pull_through" in output
    assert evidence.scanner.find(output.encode()) == set()


def test_no_secret_is_in_the_artifacts_of_ansible_runner(evidence: Evidence) -> None:
    assert any("/job_events/" in path for path, _data in evidence.artifacts)
    assert evidence.scanner.find_all(evidence.artifacts) == {}


def test_no_secret_is_in_a_file_even_for_a_moment(evidence: Evidence) -> None:
    assert any("/home/.ansible/tmp/" in path for path, _data in evidence.files)
    assert evidence.scanner.find_all(evidence.files) == {}


def test_no_secret_is_in_a_command_line(evidence: Evidence) -> None:
    assert any(b"ansible-playbook" in command for command in evidence.commands)
    assert evidence.scanner.find(b"\n".join(evidence.commands)) == set()
