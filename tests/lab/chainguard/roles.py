# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capabilities, and the managed roles that grant them (facts/chainguard.md#pull-tokens)."""

from __future__ import annotations


def _each(stem: str, *verbs: str) -> frozenset[str]:
    return frozenset(f"CAP_{stem}_{verb}" for verb in verbs)


REGISTRY_PULL = frozenset(
    {
        "CAP_IAM_GROUPS_LIST",
        "CAP_MANIFEST_LIST",
        "CAP_MANIFEST_METADATA_LIST",
        "CAP_REFERRERS_LIST",
        "CAP_REPO_BLOBS_GET",
        "CAP_REPO_LIST",
        "CAP_TAG_LIST",
        "CAP_TENANT_RECORD_SIGNATURES_LIST",
        "CAP_TENANT_SBOMS_LIST",
        "CAP_TENANT_VULN_REPORTS_LIST",
    }
)
APK_PULL = frozenset({"CAP_APK_LIST", "CAP_APK_BLOBS_GET", "CAP_IAM_GROUPS_LIST"})
LIBRARIES = ("java", "python", "javascript", "dotnet", "go")
LIBRARIES_PULL = {
    f"libraries.{name}.pull": frozenset({"CAP_LIBRARIES_ENTITLEMENTS_LIST", f"CAP_LIBRARIES_{name.upper()}_LIST"})
    for name in LIBRARIES
}
VIEWER = frozenset(
    {
        *REGISTRY_PULL,
        *APK_PULL,
        "CAP_EVENTS_SUBSCRIPTION_LIST",
        "CAP_IAM_ACCOUNT_ASSOCIATIONS_LIST",
        "CAP_IAM_GROUP_INVITES_LIST",
        "CAP_IAM_IDENTITY_LIST",
        "CAP_IAM_IDENTITY_PROVIDERS_LIST",
        "CAP_IAM_ROLES_LIST",
        "CAP_IAM_ROLE_BINDINGS_LIST",
    }
)
EDITOR = VIEWER | _each("EVENTS_SUBSCRIPTION", "CREATE", "UPDATE", "DELETE")
OWNER = EDITOR.union(
    *LIBRARIES_PULL.values(),
    *(
        _each(stem, "CREATE", "UPDATE", "DELETE")
        for stem in ("IAM_GROUPS", "IAM_IDENTITY", "IAM_ROLES", "IAM_ROLE_BINDINGS", "REPO", "MANIFEST", "TAG")
    ),
    _each("APK", "CREATE", "DELETE"),
)
MANAGED: dict[str, frozenset[str]] = {
    "owner": OWNER,
    "editor": EDITOR,
    "viewer": VIEWER,
    "registry.pull": REGISTRY_PULL,
    "apk.pull": APK_PULL,
    **LIBRARIES_PULL,
    "registry.pull_token_creator": REGISTRY_PULL
    | APK_PULL
    | {"CAP_IAM_IDENTITY_CREATE", "CAP_IAM_ROLE_BINDINGS_CREATE", "CAP_IAM_ROLES_LIST"},
}


def dotted(capability: str) -> str:
    """The dotted name of a capability: `CAP_IAM_ROLE_BINDINGS_LIST` is `role_bindings.list`."""
    name = capability.removeprefix("CAP_")
    for family in ("IAM_", "TENANT_"):
        if name.startswith(family):
            noun, _ignored, verb = name.removeprefix(family).rpartition("_")
            return f"{noun}.{verb}".lower()
    return name.lower().replace("_", ".")
