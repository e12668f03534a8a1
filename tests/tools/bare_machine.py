# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs make targets as an ordinary user on a minimal Debian or Ubuntu, and names the packages that they need.

Usage, as root: python tests/tools/bare_machine.py trixie|noble [TARGET ...]

Without targets, it runs `make demo`. It requires mmdebstrap, and a package index that pip can reach. The system is created in
a temporary folder, and the certificates that this machine trusts are copied into it. It is not a part of make test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UBUNTU_KEYRING = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
USER = "builder"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# The packages in the order in which make names them, and what make says without them.
NEEDED_BY_DEMO = {"python3": "python3 is not installed", "python3-venv": "apt install python3-venv"}
NEEDED_BY_TESTS = {"git": "apt install git", "openssh-client": "apt install openssh-client"}


def create_system(release: str, folder: Path) -> None:
    """Install the minimal system. Ends the program if its archive cannot be reached."""
    source = []
    if release == "noble":
        # Debian does not package the keys of Ubuntu. Nothing but this test runs in the folder.
        options = "" if UBUNTU_KEYRING.exists() else "[trusted=yes] "
        source = [f"deb {options}http://archive.ubuntu.com/ubuntu noble main universe"]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=apt,make,ca-certificates", release, str(folder)]
    if subprocess.run([*command, *source], check=False).returncode != 0:
        sys.exit(f"mmdebstrap could not create {release}. Its message is above.")
    for file in ("etc/resolv.conf", CERTIFICATES):
        shutil.copyfile(f"/{file}", folder / file)
    run(folder, "root", f"useradd --create-home {USER}")
    copy_tree(folder / "home" / USER / "pull_through")
    run(folder, "root", f"chown --recursive {USER} /home/{USER}")


def copy_tree(target: Path) -> None:
    """Copy the repository, with the files of the work tree."""
    names = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target)], check=True)
    for file in (ROOT / name for name in names if name):
        if file.is_file():
            (target / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / file.relative_to(ROOT))


def run(folder: Path, user: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in the system. Its mounts and its processes end with it."""
    mounts = f"mount -t proc proc {folder}/proc && mount --rbind /dev {folder}/dev"
    inside = ["chroot", str(folder), "su", "-", user, "-c", command]
    shell = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    return subprocess.run(
        [*shell, *inside], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )


def make(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    return run(folder, USER, f"cd pull_through && make --no-print-directory {target}")


def is_one_clear_line(result: subprocess.CompletedProcess[str], text: str) -> bool:
    """Return whether make failed with one line of its own, which has the text, beside the error of make itself."""
    lines = [line for line in result.stdout.splitlines() if line and not line.startswith("make: ***")]
    return result.returncode != 0 and len(lines) == 1 and text in lines[0]


def run_targets(folder: Path, targets: list[str]) -> int:
    """Return the number of steps that failed. Prints a line for each step."""
    failed = install(folder, "demo", NEEDED_BY_DEMO)
    if targets != ["demo"]:
        # The environment of the tests is there first, so that only these programs are missing.
        failed += run_target(folder, "environment") + install(folder, "test", NEEDED_BY_TESTS)
    return failed + sum(run_target(folder, target) for target in targets)


def install(folder: Path, target: str, packages: dict[str, str]) -> int:
    """Install the packages one by one, after make showed that it names each. Return the number of steps that failed."""
    failed = 0
    for package, text in packages.items():
        result = make(folder, target)
        failed += report(f"make {target} without {package}: one line", is_one_clear_line(result, text), result.stdout)
        command = f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y {package}"
        result = run(folder, "root", command)
        failed += report(f"apt install {package}", result.returncode == 0, result.stdout)
    return failed


def run_target(folder: Path, target: str) -> bool:
    """Return whether the target failed."""
    started = time.monotonic()
    result = make(folder, target)
    return report(f"make {target}", result.returncode == 0, result.stdout, time.monotonic() - started)


def report(step: str, is_ok: bool, output: str, seconds: float = 0.0) -> bool:
    """Print a step, and the end of its output if it failed. Return whether it failed."""
    print(f"{'ok' if is_ok else 'FAILED':6} {step}{f' ({seconds:.0f} s)' if seconds else ''}", flush=True)
    if not is_ok:
        print(output[-4000:], flush=True)
    return not is_ok


def main() -> None:
    release, *targets = sys.argv[1:] or [""]
    if release not in ("trixie", "noble"):
        sys.exit("Usage: python tests/tools/bare_machine.py trixie|noble [TARGET ...]")
    if os.geteuid() != 0:
        sys.exit("Only root can create a system. Run it with sudo.")
    if shutil.which("mmdebstrap") is None:
        sys.exit("mmdebstrap is not installed. On Debian and Ubuntu: apt install mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="bare-machine-") as temporary:
        folder, started = Path(temporary, release), time.monotonic()
        create_system(release, folder)
        report(f"{release}, minimal, with make", True, "", time.monotonic() - started)
        failed = run_targets(folder, targets or ["demo"])
    sys.exit(f"{failed} steps failed." if failed else 0)


if __name__ == "__main__":
    main()
