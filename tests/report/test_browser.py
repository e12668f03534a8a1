# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page in Chromium: on a phone, on a desktop, light, dark, and printed."""

from __future__ import annotations

import html
import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest

from support.programs import find_program
from support.report_samples import healthy_part, mixed_report, page, report
from support.report_scenario import Scenario

PHONE, DESKTOP = 390, 1280
DARK = "--blink-settings=preferredColorScheme=0"
TIMEOUT = 60  # seconds

# Writes what axe-core finds, and the widths, into the page, which --dump-dom then prints.
CHECK = """
<script>{axe}</script>
<script>
axe.run().then(results => {{
  const violations = results.violations.map(rule => rule.id + ": " + rule.nodes.map(node => node.html).join(" "));
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const output = document.createElement("pre");
  output.id = "results";
  output.textContent = JSON.stringify({{violations, dark, passes: results.passes.length, width: root.clientWidth, scroll: root.scrollWidth}});
  document.body.append(output);
}});
</script>
"""
POLICY = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')


class Browser:
    """Chromium without a window."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command = [
            find_program("chromium"),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
        ]
        self._command += [f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND"]

    def run(self, text: str, *arguments: str) -> tuple[str, str]:
        """Open a page, and return its output and the messages on its console."""
        file = self._folder / "page.html"
        file.write_text(text, encoding="utf-8")
        command = [*self._command, *arguments, file.as_uri()]
        process = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=TIMEOUT, check=True)
        return process.stdout, "\n".join(line for line in process.stderr.splitlines() if "CONSOLE" in line)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    folder = tmp_path_factory.mktemp("axe")
    install = [find_program("npm"), "install", "--silent", "--no-fund", "--no-audit", "axe-core@4"]
    subprocess.run(install, cwd=folder, check=True, timeout=TIMEOUT)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def framed(text: str, width: int) -> str:
    """Return a page that shows another one in a frame, since a window cannot be as narrow as a phone."""
    return f'<body style="margin:0"><iframe style="border:0;width:{width}px;height:2000px" srcdoc="{html.escape(text)}"></iframe>'


PAGES: dict[str, t.Any] = {"mixed": mixed_report(), "healthy": report(a=healthy_part()), "empty": report()}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("mixed", []), ("mixed", [DARK]), ("healthy", [DARK]), ("empty", [])],
)
def test_axe_finds_no_violation_on_a_desktop(browser: Browser, axe: str, name: str, arguments: list[str]) -> None:
    results = check(browser, axe, page(PAGES[name]), *arguments)
    assert results["violations"] == []
    assert results["passes"] >= 10
    assert results["dark"] == (DARK in arguments)
    assert results["scroll"] <= results["width"] == DESKTOP


@pytest.mark.parametrize("arguments", [[], [DARK]])
def test_a_page_fits_on_a_phone(browser: Browser, axe: str, arguments: list[str]) -> None:
    results = check(browser, axe, page(PAGES["mixed"]), *arguments, width=PHONE)
    assert results["violations"] == []
    assert results["scroll"] <= results["width"] == PHONE


def check(browser: Browser, axe: str, text: str, *arguments: str, width: int = DESKTOP) -> t.Any:
    """Return what the script in the page found. Its policy, which allows no script, is taken out."""
    scripted = POLICY.sub("", text).replace("</body>", CHECK.format(axe=axe) + "</body>")
    if width != DESKTOP:
        # The results have to be in the outer page, which is the one that is printed.
        scripted = framed(scripted.replace("document.body.append", "parent.document.body.append"), width)
    size = f"--window-size={DESKTOP},2000"
    output, console = browser.run(
        scripted, "--dump-dom", "--hide-scrollbars", "--virtual-time-budget=10000", size, *arguments
    )
    match = re.search('<pre id="results">(.*?)</pre>', output, re.DOTALL)
    assert match, console
    return json.loads(html.unescape(match[1]))


def test_the_console_is_empty_and_nothing_is_requested(browser: Browser, scenario: Scenario) -> None:
    text = scenario.reports["verify"].read_text(encoding="utf-8")
    output, console = browser.run(text, "--dump-dom", "--v=0")
    assert "</html>" in output
    assert console == ""


def test_the_policy_stops_scripts(browser: Browser) -> None:
    text = page(PAGES["mixed"]).replace("</body>", "<script>document.title = 'changed'</script></body>")
    output, console = browser.run(text, "--dump-dom")
    assert "<title>changed" not in output
    assert "Content Security Policy" in console


def test_the_page_can_be_printed(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    browser.run(page(PAGES["mixed"]), "--no-pdf-header-footer", f"--print-to-pdf={file}")
    content = file.read_bytes()
    assert content.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 4
