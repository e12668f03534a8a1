# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Ansible can evaluate the variables of a run. It would stop with the templates of the role itself, of which users know nothing."""

from __future__ import annotations

import re
import typing as t

from jinja2 import Undefined, pass_context

if t.TYPE_CHECKING:
    from jinja2.runtime import Context

# Python quotes values, which can be secrets. The names in these two messages are those in the template.
# A quotation mark without its pair hides the rest, which also keeps the search linear.
_QUOTED = re.compile(
    r"""(?P<name>'\w+' is undefined|has no attribute '\w+')|(?<!\w)(?:'(?:[^'\\]|\\.)*(?:'|\\?$)|"(?:[^"\\]|\\.)*(?:"|\\?$))""",
    re.DOTALL,
)


@pass_context
def evaluation_errors(context: Context, names: t.Iterable[str]) -> list[str]:
    """Return a sentence for each reason why variables cannot be evaluated. context: of the template, with all variables."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        try:
            _evaluate(context.resolve(name))
        except Exception as exc:  # pylint: disable=broad-exception-caught  # templates raise anything
            reasons.setdefault(_reason(str(exc)), []).append(name)
    return [f"{', '.join(affected)} cannot be evaluated: {reason}." for reason, affected in reasons.items()]


def _evaluate(value: t.Any) -> None:
    """Raise an exception for a value that is not defined, or that has one. ansible-core 2.19 evaluates items when they are read."""
    if isinstance(value, Undefined):
        str(value)
    elif isinstance(value, dict):
        for item in value.values():
            _evaluate(item)
    elif isinstance(value, list):
        for item in value:
            _evaluate(item)


def _reason(message: str) -> str:
    """Return the last part of a message, since the others show the template. The advice of lookups would be the last one."""
    message = _QUOTED.sub(
        lambda match: match["name"] or "'…'", re.sub(r"[.,] use -v.*", "", message, flags=re.IGNORECASE)
    )
    return re.split(r"[.:] ", message.rstrip(". "))[-1]
