# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters of the role pull_through: Ansible's facts in and out, around the pure functions of plugin_utils.

Each has its documentation in a file of its own beside this one.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._text import join_messages
from ansible_collections.cgr.pull_through.plugins.plugin_utils import (
    _cache_warming,
    _client_setup,
    _diagnosis,
    _evaluation,
    _extra_variables,
    _missing_rights,
    _module_arguments,
    _permission,
    _phases,
    _removal,
    _report,
    _report_metrics,
    _run_result,
    _sources,
    _summary,
    _token_lifetime,
    _token_ownership,
    _validation,
    _variables,
    _verification,
    _virtual_repositories,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source

# What module_arguments(KIND) returns: the list options of the modules.
_ARGUMENTS_OF_SOURCES: dict[str, t.Callable[..., t.Any]] = {
    "sources_to_diagnose": _diagnosis.sources_to_diagnose,
    "direct_pulls": _module_arguments.direct_pulls,
    "caches_to_expire": _module_arguments.caches_to_expire,
    "files_to_delete": _verification.files_to_delete,
    "images_to_compare": _verification.images_to_compare,
    "public_image_pulls": _module_arguments.public_image_pulls,
    "repositories_to_remove": _module_arguments.repositories_to_remove,
    "tokens_to_remove": _module_arguments.tokens_to_remove,
    "repositories_to_correct": _diagnosis.repositories_to_correct,
    "repositories_to_switch_on": _diagnosis.repositories_to_switch_on,
    "paths_to_delete": _diagnosis.paths_to_delete,
    "organizations_to_list": _module_arguments.organizations_to_list,
    "repositories": _module_arguments.repository_specs,
    "superseded_tokens": _module_arguments.superseded_tokens,
    "unused_tokens": _module_arguments.unused_tokens,
    "user_pulls": _module_arguments.user_pulls,
    "verification_pulls": _module_arguments.verification_pulls,
    "tags_to_resolve": _verification.tags_to_resolve,
    "warm_pulls": _cache_warming.warm_pulls,
    "warmed_tags": _cache_warming.warmed_tags,
    "missing_layers": _cache_warming.missing_layers,
}

# What add_results(KIND) adds to each source.
_RESULTS_OF_SOURCES: dict[str, t.Callable[..., Source]] = {
    "caches": _phases.add_cache_results,
    "current_state": _phases.add_current_state,
    "deletions": _verification.add_deletions,
    "direct_pulls": _phases.add_direct_results,
    "images": _phases.add_images,
    "remediated_library": _phases.add_remediated_library,
    "plan": _phases.add_plan,
    "reason_not_verified": _verification.add_reason_not_verified,
    "revocations": _phases.add_revocations,
    "rotation_status": _token_lifetime.add_rotation_status,
    "tag_age": _verification.add_tag_age,
    "tokens": _phases.add_token_results,
    "verification": _verification.add_verification,
    "written": _phases.add_write_results,
}

# What add_results(KIND) adds to each virtual repository.
_RESULTS_OF_VIRTUALS: dict[str, t.Callable[..., Facts]] = {
    "deletions_of_members": _verification.add_deletions_of_members,
    "virtual_verification": _verification.add_virtual_verification,
    "virtual_written": _virtual_repositories.add_virtual_results,
}


def _from_facts(facts: list[Facts]) -> list[Source]:
    return [Source.from_facts(fact) for fact in facts]


def resolve_sources(names: list[str], **options: t.Any) -> list[Facts]:
    return [source.to_facts() for source in _sources.resolve_sources(names, **options)]


def resolve_virtual_repositories(names: list[str], sources: list[Facts], **options: t.Any) -> list[Facts]:
    return _virtual_repositories.resolve_virtual_repositories(names, sources=_from_facts(sources), **options)


def module_arguments(sources: list[Facts], name: str, **options: t.Any) -> t.Any:
    return _ARGUMENTS_OF_SOURCES[name](_from_facts(sources), **options)


def add_results(facts: list[Facts], name: str, **options: t.Any) -> list[Facts]:
    if name in _RESULTS_OF_VIRTUALS:
        return [_RESULTS_OF_VIRTUALS[name](repository, **options) for repository in facts]
    return [_RESULTS_OF_SOURCES[name](source, **options).to_facts() for source in _from_facts(facts)]


def summarize(sources: list[Facts], **options: t.Any) -> Facts:
    return _summary.summarize(_from_facts(sources), **options)


def report_removal(sources: list[Facts], **options: t.Any) -> list[str]:
    return _removal.report_removal(_from_facts(sources), **options)


def client_setup(sources: list[Facts], **options: t.Any) -> Facts:
    return _client_setup.client_setup(_from_facts(sources), **options)


def other_site_errors(sources: list[Facts], **options: t.Any) -> list[str]:
    return _token_ownership.other_site_errors(_from_facts(sources), **options)


def missing_rights(sources: list[Facts], **options: t.Any) -> str:
    return _missing_rights.missing_rights(_from_facts(sources), **options)


def run_result(sources: list[Facts], **options: t.Any) -> Facts:
    return _run_result.run_result(_from_facts(sources), **options)


def report_of_host(sources: list[Facts], **options: t.Any) -> Facts:
    return _report.report_of_host(_from_facts(sources), **options)


def plan_cache_warming(sources: list[Facts], **options: t.Any) -> Facts:
    return _cache_warming.plan_cache_warming(_from_facts(sources), **options)


def cache_warming_report(sources: list[Facts], **options: t.Any) -> Facts:
    return _cache_warming.cache_warming_report(_from_facts(sources), **options)


class FilterModule:
    """Ansible's way to find the filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "documented_variables": _variables.documented_variables,
            "evaluation_errors": _evaluation.evaluation_errors,
            "internal_variable_error": _extra_variables.internal_variable_error,
            "read_variables": _variables.read_variables,
            "validate_variables": _validation.validate,
            "resolve_sources": resolve_sources,
            "resolve_virtual_repositories": resolve_virtual_repositories,
            "grace_period_to_wait": _sources.grace_period_to_wait,
            "module_arguments": module_arguments,
            "other_site_errors": other_site_errors,
            "missing_rights": missing_rights,
            "notices_of_unlisted_tokens": _token_ownership.notices_of_unlisted_tokens,
            "permission_may_differ": _permission.permission_may_differ,
            "add_results": add_results,
            "join_messages": join_messages,
            "module_failures": _phases.module_failures,
            "without_members": _virtual_repositories.without_members,
            "summarize": summarize,
            "report_removal": report_removal,
            "client_setup": client_setup,
            "run_result": run_result,
            "report_of_host": report_of_host,
            "report_of_all_hosts": _report.report_of_all_hosts,
            "report_metrics": _report_metrics.report_metrics,
            "plan_cache_warming": plan_cache_warming,
            "cache_warming_report": cache_warming_report,
            "diagnosis_report": _diagnosis.report_diagnosis,
            "repaired_sources": _diagnosis.repaired_sources,
        }
