# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the stages of the tests, and ends with the number of checks that passed, failed, and were skipped.

Usage: python tests/tools/run_tests.py [STAGE ...], all stages by default. A single stage shows its whole output;
several stages show one line per check.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path
from xml.etree import ElementTree

from ansible_cores import ANSIBLE_CORES, AnsibleCore
from build import build_artifact
from client_programs import COMMON, install_clients, install_common_clients
from environments import CACHE, ROOT, find_pythons, make_environment, make_test_environment
from lab.client import started
from source_tree import copy_tree, require_program
from stage import LOGS, Counts, Stage

VENV = CACHE / "venv" / "bin"


def unit(stage: Stage) -> None:
    """Run the unit tests with coverage, and once on each other ansible-core that the collection supports."""
    _pytest(stage, VENV, "coverage", "run", "-m", "pytest", "tests/unit")
    stage.check("coverage of plugins/", VENV / "python", "-m", "coverage", "report")
    own_release = importlib.metadata.version("ansible-core").rpartition(".")[0]
    for core in ANSIBLE_CORES:
        if core.release != own_release and _is_available(stage, core):
            python_path = f"{CACHE / 'collections'}{os.pathsep}{ROOT / 'tests'}"
            _pytest(stage, core.make_environment(), "pytest", "tests/unit", python_path=python_path)


def lab_test(stage: Stage) -> None:
    _pytest(stage, VENV, "pytest", "tests/lab/tests")


def hostile(stage: Stage) -> None:
    """Run the tests with hostile servers, also with the oldest HTTP libraries, except those that need hypothesis."""
    _pytest(stage, VENV, "pytest", "tests/hostile")
    python_path = f"{CACHE / 'collections'}{os.pathsep}{ROOT / 'tests'}"
    oldest = make_environment("oldest_http", "oldest_http")
    # The oldest urllib3 does not close the sockets of a pool that is dropped.
    warnings = ("-W", "ignore::ResourceWarning", "-W", "ignore::pytest.PytestUnraisableExceptionWarning")
    files = ("tests/hostile/test_transport.py", "tests/hostile/test_modules.py")
    _pytest(stage, oldest, "pytest", *warnings, *files, python_path=python_path)


def fuzz(stage: Stage) -> None:
    """Run the property tests with 2,000 random examples for each call. Not one of the stages of all tests."""
    _pytest(stage, VENV, "pytest", "tests/hostile/test_properties.py", examples="2000")


def faults(stage: Stage) -> None:
    _pytest(stage, VENV, "pytest", "tests/faults")


def system(stage: Stage) -> None:
    _pytest(stage, VENV, "pytest", "tests/system")
    stage.check("molecule", VENV / "python", "tests/tools/check_molecule.py")


def report(stage: Stage) -> None:
    _pytest(stage, VENV, "pytest", "tests/report")


def rulebooks(stage: Stage) -> None:
    """Run the rulebooks in ansible-rulebook, which has an environment of its own."""
    make_environment("rulebook", "rulebook")
    _pytest(stage, VENV, "pytest", "tests/rulebooks")


def oci_clients(stage: Stage) -> None:
    """Install crane, oras and helm, which Debian does not package, and pull with them."""
    if shutil.which("go") is None and os.environ.get("CI") != "true":
        stage.skip("go is not installed, which builds crane, oras and helm")
        return
    install_common_clients()
    _pytest(stage, VENV, "pytest", "tests/clients/test_registry_clients.py", "-k", " or ".join(COMMON))


def awx(stage: Stage) -> None:
    """Run each survey with each kind of entries on two releases of ansible-core. Not part of all stages."""
    _pytest(stage, VENV, "pytest", "tests/awx")


def clients(stage: Stage) -> None:
    """Install all programs that Debian does not package, and run them. Not part of all stages."""
    install_clients()
    _pytest(stage, VENV, "pytest", "tests/clients")


def rotation(stage: Stage) -> None:
    _pytest(stage, VENV, "pytest", "tests/rotation")


def lint(stage: Stage) -> None:
    programs = make_environment("lint", "lint")
    tree = copy_tree("lint")
    stage.check("licenses", VENV / "python", "tests/tools/check_licenses.py")
    stage.check("words", VENV / "python", "tests/tools/check_words.py")
    stage.check("diagnosis codes", VENV / "python", "tests/tools/diagnosis_codes.py", "--check")
    stage.check("black", programs / "black", "--check", "plugins", "tests")
    stage.check("ruff", programs / "ruff", "check", "plugins", "tests")
    stage.check("mypy", programs / "mypy")
    stage.check("antsibull-changelog", programs / "antsibull-changelog", "lint", cwd=tree)
    docs = ("lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", ".")
    stage.check("antsibull-docs", programs / "antsibull-docs", *docs, cwd=tree, path=[programs])
    variables = {"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2])}
    stage.check("ansible-lint", programs / "ansible-lint", cwd=tree, path=[programs], **variables)
    stage.check("documentation site", VENV / "python", "tests/tools/build_site.py")
    _galaxy_importer(stage, programs)
    _pytest(stage, VENV, "pytest", "tests/artifact")


def sanity(stage: Stage) -> None:
    pythons = find_pythons()
    tree = copy_tree("sanity")
    for core in ANSIBLE_CORES:
        if core.sanity is None or not _is_available(stage, core):
            continue
        programs = core.make_environment()
        stage.run(programs / "python", "tests/tools/seed_pip.py")
        command: list[str | Path] = [programs / "ansible-test", "sanity", "--local", "--color", "no", *core.sanity]
        path = [programs, *(pythons[version].parent for version in core.sanity_pythons if version in pythons)]
        stage.check(_describe(programs), *command, cwd=tree, path=path)
    if not stage.counts.passed + stage.counts.failed:
        stage.fail("found no Python for any of the supported releases of ansible-core")


def integration(stage: Stage, chosen: t.Sequence[str] = ()) -> None:
    """Run each target, or those chosen. Their variable `lab` is the content of the state file of a running lab."""
    tree = copy_tree("integration")
    ansible_test: list[str | Path] = [VENV / "ansible-test", "integration", "--local", "--color", "no"]
    listing = stage.run(*ansible_test, "--list-targets", cwd=tree, path=[VENV]).output.splitlines()
    targets = [line for line in listing if line and (tree / "tests/integration/targets" / line).is_dir()]
    if chosen:
        targets = [target for target in targets if target in chosen]
    if not targets:
        stage.fail("ansible-test found no such target")
    with started() as lab:
        (tree / "tests/integration/integration_config.yml").write_text(json.dumps({"lab": lab.state}), encoding="utf-8")
        for target in targets:
            stage.check(target, *ansible_test, target, cwd=tree, path=[VENV])


def _is_available(stage: Stage, core: AnsibleCore) -> bool:
    """Return whether a Python for this ansible-core is installed. Count a skipped check if none is."""
    if core.python is None:
        stage.skip(
            f"ansible-core {core.release}: no Python {' or '.join(core.pythons)} on PATH or in ~/.pyenv/versions"
        )
    return core.python is not None


def _describe(programs: Path) -> str:
    code = "import ansible.release, platform; print(ansible.release.__version__, platform.python_version())"
    release, python = subprocess.check_output([programs / "python", "-c", code], text=True).split()
    return f"ansible-core {release} on Python {python}"


def _pytest(stage: Stage, programs: Path, *command: str, python_path: str = "", examples: str = "") -> None:
    """Run pytest, in the command line of a Python module, and count its tests from its report."""
    report = LOGS / f"{stage.name}.xml"
    report.unlink(missing_ok=True)
    command = ("-m", *command, f"--junit-xml={report}")
    result = stage.run(
        programs / "python", *command, path=[programs], PYTHONPATH=python_path, HOSTILE_EXAMPLES=examples
    )
    counts = _read_junit(report) if report.exists() else Counts()
    if result.code != 0 and not counts.failed:
        counts += Counts(failed=1)  # pytest stopped before the tests, or found none
    stage.record(f"{_describe(programs)}: {counts}", result, counts)


def _read_junit(report: Path) -> Counts:
    suites = list(ElementTree.parse(report).iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return Counts(tests - failures - errors - skipped, failures + errors, skipped)


def _galaxy_importer(stage: Stage, programs: Path) -> None:
    """Build the artifact and run Galaxy's importer on it, whose exit code is 0 even with errors."""
    artifact = build_artifact(programs)
    importer = (programs / "python", "-m", "galaxy_importer.main", artifact)
    # Without ansible-lint, which ran above with the same profile.
    result = stage.run(*importer, cwd=artifact.parent, path=[programs], GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false")
    is_clean = result.code == 0 and not re.search(r"^(WARNING|ERROR|CRITICAL)", result.output, re.MULTILINE)
    stage.record("galaxy-importer", result, Counts(passed=1) if is_clean else Counts(failed=1))


SIGN_OF_LIFE = 60.0  # seconds between two of them
# Only run by name, because they take long, or install programs that Debian does not package.
BY_NAME: dict[str, t.Callable[[Stage], None]] = {"fuzz": fuzz, "awx": awx, "clients": clients}
# The short stages come first, and two run at a time. The last one runs alone, since it keeps two processors busy.
ALONE = "rotation"
STAGES: dict[str, t.Callable[[Stage], None]] = {
    "lab-test": lab_test,
    "hostile": hostile,
    "faults": faults,
    "rulebooks": rulebooks,
    "lint": lint,
    "unit": unit,
    "system": system,
    "sanity": sanity,
    "integration": integration,
    "report": report,
    "oci-clients": oci_clients,
    ALONE: rotation,
}


def run_stage(stage: Stage, function: t.Callable[[Stage], None]) -> float:
    """Return the seconds that it took. An unexpected error is one failure and does not stop the other stages."""
    start = time.monotonic()
    print(f"{'':8}{stage.name:13}starts. Its output is in {stage.log.relative_to(ROOT)}", flush=True)
    stage.is_running = True
    try:
        function(stage)
    except Exception as error:
        stage.fail(f"{type(error).__name__}: {error}")
    stage.end()
    return time.monotonic() - start


@contextlib.contextmanager
def sign_of_life(stages: t.Sequence[Stage]) -> t.Iterator[None]:
    """Print each minute which stages are running, with the last line of their output."""
    start, finished = time.monotonic(), threading.Event()

    def report() -> None:
        while not finished.wait(SIGN_OF_LIFE):
            minutes = round((time.monotonic() - start) / 60)
            for stage in stages:
                if stage.is_running:
                    print(f"{f'{minutes} min':8}{stage.name:13}{stage.last_line[:80]}", flush=True)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests and count them.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join([*STAGES, *BY_NAME]))
    parser.add_argument("--target", action="append", default=[], help="integration target to run; all by default")
    arguments = parser.parse_args()
    names = arguments.stages or list(STAGES)
    if unknown := set(names) - set(STAGES) - set(BY_NAME):
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")

    require_program("git")
    if "integration" in names:
        require_program("ssh-keygen")
    make_test_environment()
    functions: dict[str, t.Callable[[Stage], None]] = {
        **STAGES,
        **BY_NAME,
        "integration": functools.partial(integration, chosen=arguments.target),
    }
    stages = [Stage(name, verbose=len(names) == 1) for name in functions if name in names]
    alone = [stage for stage in stages if stage.name == ALONE]
    others = [stage for stage in stages if stage.name != ALONE]
    with sign_of_life([] if stages[0].is_verbose else stages):
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            seconds = list(pool.map(lambda stage: run_stage(stage, functions[stage.name]), others))
        seconds += [run_stage(stage, functions[stage.name]) for stage in alone]

    print(f"\n{'stage':13}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for stage, took in zip([*others, *alone], seconds):
        counts = stage.counts
        print(f"{stage.name:13}{counts.passed:8}{counts.failed:8}{counts.skipped:9}{took:9.1f}")
    total = sum((stage.counts for stage in stages), Counts())
    print(f"\n{total}", flush=True)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
