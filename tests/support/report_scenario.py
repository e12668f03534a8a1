# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of the role on four hosts, three of them with a lab, whose report all tests read."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t
from pathlib import Path

from lab.client import started
from support.forked_ansible import open_forked_runner
from support.lab_client import Json, LabClient
from support.playbook_runner import Run, write_private_json

LABS = ("amsterdam", "berlin", "chicago")
MAX_RUN_SECONDS = 120
HOSTILE = "<script>alert(1)</script> {{ 7 * 7 }} \" '"
SOURCES = ("containers_public", "containers")
IMAGES = {"containers": {"images": ["nginx"]}}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Labs by host, and what ran: a verification with the report, the same in check mode, and a rotation. Reports by run."""

    labs: dict[str, LabClient]
    check: Run
    verify: Run
    rotate: Run
    files_after_check: list[str]
    reports: dict[str, Path]

    def data(self, run: str) -> Json:
        """Return the JSON of a report."""
        return dict(json.loads(self.reports[run].with_suffix(".json").read_text(encoding="utf-8")))


@contextlib.contextmanager
def run_scenario(create_folder: t.Callable[[str], Path]) -> t.Iterator[Scenario]:
    """Set up three labs, break one of them, and write reports. The fourth host has no Artifactory."""
    with contextlib.ExitStack() as stack:
        labs = {name: LabClient(stack.enter_context(started("--http")).state) for name in LABS}
        runs = create_folder("runs")
        run_playbook = stack.enter_context(open_forked_runner(runs, timeout=MAX_RUN_SECONDS))
        folder = create_folder("reports")
        file = folder / "report.html"
        hosts = {name: lab.variables(*SOURCES, depth="manifest", source_overrides=IMAGES) for name, lab in labs.items()}
        hosts["denver"] = {**hosts["amsterdam"], "pull_through_artifactory_url": "http://127.0.0.1:9"}
        inventory = write_private_json(create_folder("inventory") / "hosts.json", {"all": {"hosts": hosts}})

        def run(playbook: str, limit: str, *arguments: str, report: str = str(file)) -> Run:
            variables = {"pull_through_hosts": limit, "pull_through_report": report}
            return run_playbook(f"cgr.pull_through.{playbook}", variables, "--inventory", str(inventory), *arguments)

        setup = run("setup", "all:!denver")
        assert setup.code == 0, setup.output
        for lab in labs.values():
            lab.advance(days=1 / 24)  # until then, Artifactory may use an earlier login
        _break(labs["berlin"])
        check = run("verify", "amsterdam", "--check")
        files = [path.name for path in folder.iterdir()]
        verify = run("verify", "all")
        reports = {"verify": _copy(file, create_folder("verify")), "rotate": file}
        labs["chicago"].advance(days=16)
        rotate = run("rotate", "amsterdam,chicago")
        labs["berlin"].set_config("cgr-public", offline=True)
        reports["diagnose"] = folder / "diagnosis.html"
        run("diagnose", "berlin", report=str(reports["diagnose"]))
        yield Scenario(labs, check, verify, rotate, files, reports)


def _break(lab: LabClient) -> None:
    """Let pulls of the private images fail, with a message that must not become markup or a template."""
    lab.clear_cache("cgr-private")
    body = json.dumps({"errors": [{"code": "UNKNOWN", "message": HOSTILE}]})
    lab.inject_fault({"status": 400, "body": body}, path="/v2/cgr-private/")


def _copy(file: Path, folder: Path) -> Path:
    for suffix in (".html", ".json", ".prom"):
        (folder / f"report{suffix}").write_bytes(file.with_suffix(suffix).read_bytes())
    return folder / file.name
