# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the stages of the tests and closes with `N passed, N failed`: everything that ran, counted.

Usage: python tests/tools/run_tests.py [STAGE ...], all stages or those that are named. One stage alone shows its output
as it comes; of several, each check is a line.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import re
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

from environments import CACHE, find_pythons, make_environment, make_test_environment
from lab.client import started
from source_tree import copy_tree
from stage import LOGS, Counts, Stage

VENV = CACHE / "venv" / "bin"


@dataclasses.dataclass(frozen=True)
class SanityRun:
    """One run of ansible-test sanity, with the ansible-core that tests/requirements/sanity.txt names for its Python."""

    pythons: tuple[str, ...]  # it runs on the first of them that is found
    others: tuple[str, ...]  # needed too, for the compile and import tests
    paths: tuple[str, ...]  # what it looks at, or nothing for all


SHIPPED = ("plugins/", "roles/", "playbooks/", "meta/")

# The newest looks at the tests too: pylint would take longer over them than all the rest together, on each.
SANITY_RUNS = (
    SanityRun(("3.10",), ("3.11", "3.12"), SHIPPED),
    SanityRun(("3.11",), (), SHIPPED),
    SanityRun(("3.13", "3.12"), (), ()),
)


def unit(stage: Stage) -> None:
    _pytest(stage, "coverage", "run", "-m", "pytest", "tests/unit")
    stage.check("coverage of plugins/", VENV / "python", "-m", "coverage", "report")


def lab_test(stage: Stage) -> None:
    _pytest(stage, "pytest", "tests/lab/tests")


def system(stage: Stage) -> None:
    _pytest(stage, "pytest", "tests/system")


def rotation(stage: Stage) -> None:
    _pytest(stage, "pytest", "tests/rotation")


def lint(stage: Stage) -> None:
    programs = make_environment("lint", "lint")
    tree = copy_tree("lint")
    stage.check("licenses", VENV / "python", "tests/tools/check_licenses.py")
    stage.check("black", programs / "black", "--check", "plugins", "tests")
    stage.check("mypy", programs / "mypy")
    stage.check("antsibull-changelog", programs / "antsibull-changelog", "lint", cwd=tree)
    docs = "lint-collection-docs --plugin-docs --validate-collection-refs self .".split()
    stage.check("antsibull-docs", programs / "antsibull-docs", *docs, cwd=tree, path=[programs])
    where = {"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2])}
    stage.check("ansible-lint", programs / "ansible-lint", cwd=tree, path=[programs], **where)
    _galaxy_importer(stage, programs, tree)


def sanity(stage: Stage) -> None:
    pythons = find_pythons()
    tree = copy_tree("sanity")
    ran = False
    for run in SANITY_RUNS:
        version = next((python for python in run.pythons if python in pythons), None)
        if version is None:
            stage.skip(f"no Python {' or '.join(run.pythons)} on PATH or in ~/.pyenv/versions: nothing ran for it")
            continue
        programs = make_environment(f"sanity-{version}", "sanity", str(pythons[version]))
        stage.run(programs / "python", "tests/tools/seed_pip.py")
        ansible_test = programs / "ansible-test"
        release = stage.run(ansible_test, "--version").output.split()[-1]
        what = f"ansible-core {release} on Python {version}"
        path = [programs, *(pythons[other].parent for other in run.others if other in pythons)]
        stage.check(what, ansible_test, "sanity", "--local", "--color", "no", *run.paths, cwd=tree, path=path)
        ran = True
    if not ran:
        stage.fail("no Python was found that any ansible-core of the matrix runs on")


def integration(stage: Stage) -> None:
    """Run each target with a lab of its own at hand: `lab` in their variables is what its state file says."""
    tree = copy_tree("integration")
    ansible_test: list[str | Path] = [VENV / "ansible-test", "integration", "--local", "--color", "no"]
    listing = stage.run(*ansible_test, "--list-targets", cwd=tree, path=[VENV]).output.splitlines()
    targets = [line for line in listing if line and (tree / "tests/integration/targets" / line).is_dir()]
    if not targets:
        stage.fail("ansible-test knows no target")
    with started() as lab:
        (tree / "tests/integration/integration_config.yml").write_text(json.dumps({"lab": lab.state}), encoding="utf-8")
        for target in targets:
            stage.check(target, *ansible_test, target, cwd=tree, path=[VENV])


def _pytest(stage: Stage, *command: str) -> None:
    """Run pytest, in a Python module's command line, and count its tests from its report."""
    report = LOGS / f"{stage.name}.xml"
    report.unlink(missing_ok=True)
    outcome = stage.run(VENV / "python", "-m", *command, f"--junit-xml={report}", path=[VENV])
    counts = _read_junit(report) if report.exists() else Counts()
    if outcome.code != 0 and not counts.failed:
        counts += Counts(failed=1)  # it stopped before the tests, or found none
    stage.record(str(counts), outcome, counts)


def _read_junit(report: Path) -> Counts:
    suites = list(ElementTree.parse(report).iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return Counts(tests - failures - errors - skipped, failures + errors, skipped)


def _galaxy_importer(stage: Stage, programs: Path, tree: Path) -> None:
    """Build the artifact and give it to the program that Galaxy imports with. It exits with 0 whatever it finds."""
    folder = CACHE / "build"
    build = (programs / "ansible-galaxy", "collection", "build", "--force", "--output-path", folder)
    artifact = stage.run(*build, cwd=tree).output.split()[-1]
    importer = (programs / "python", "-m", "galaxy_importer.main", artifact)
    # ansible-lint has run, with the same profile.
    outcome = stage.run(*importer, cwd=folder, path=[programs], GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false")
    clean = outcome.code == 0 and not re.search(r"^(WARNING|ERROR|CRITICAL)", outcome.output, re.MULTILINE)
    stage.record("galaxy-importer", outcome, Counts(passed=1) if clean else Counts(failed=1))


# Two at a time, so the longest ones come first; before them the one that keeps two processors busy by itself.
ALONE = "rotation"
STAGES = {
    ALONE: rotation,
    "system": system,
    "sanity": sanity,
    "integration": integration,
    "lint": lint,
    "lab-test": lab_test,
    "unit": unit,
}


def run_stage(stage: Stage) -> float:
    """Return the seconds that it took. A stage that breaks is one failure, and the others run."""
    begun = time.monotonic()
    print(f"{'':8}{stage.name:13}starts", flush=True)
    try:
        STAGES[stage.name](stage)
    except Exception as error:
        stage.fail(f"{type(error).__name__}: {error}")
    return time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the tests and counts them.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    wanted = parser.parse_args().stages or list(STAGES)
    if unknown := set(wanted) - set(STAGES):
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")

    make_test_environment()
    stages = [Stage(name, verbose=len(wanted) == 1) for name in STAGES if name in wanted]
    alone = [stage for stage in stages if stage.name == ALONE]
    others = [stage for stage in stages if stage.name != ALONE]
    seconds = [run_stage(stage) for stage in alone]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        seconds += pool.map(run_stage, others)

    print(f"\n{'stage':13}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for stage, took in zip([*alone, *others], seconds):
        counts = stage.counts
        print(f"{stage.name:13}{counts.passed:8}{counts.failed:8}{counts.skipped:9}{took:9.1f}")
    total = sum((stage.counts for stage in stages), Counts())
    print(f"\n{total}", flush=True)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
