# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the code of compiled Jinja templates in a folder.

Ansible runs each task in a process of its own, which compiles its templates again. The code depends only on the text of
a template, on the settings of Jinja, and on the releases of Ansible, Jinja and Python, so all runs can share it. Each
task still evaluates its templates.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import types
import typing as t
from pathlib import Path

import ansible
import jinja2
from ansible._internal._templating._jinja_bits import AnsibleEnvironment, _TemplateCompileContext
from jinja2.environment import TemplateExpression

# The attributes of an environment that change how it reads a template.
_SETTINGS = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix"),
    *("trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline"),
)
_FOLDER = Path(__file__).parents[2] / ".cache" / "templates"

_original_compile = AnsibleEnvironment.compile
_original_compile_expression = AnsibleEnvironment.compile_expression


def install() -> None:
    """Let this process, and those that it forks, use the cache of this checkout."""
    releases = f"ansible-{ansible.__version__}-jinja-{jinja2.__version__}-{sys.implementation.cache_tag}"
    folder = _FOLDER / releases
    folder.mkdir(parents=True, exist_ok=True)
    TemplateCache(folder).install()


class TemplateCache:
    """The code of templates and expressions. folder: exists, one file for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last_code: t.Any = None

    def install(self) -> None:
        """Let this process, and those that it forks, use the cache."""

        def compile(environment: AnsibleEnvironment, source: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
            return self._compile(environment, source, *args, **options)

        def compile_expression(environment: AnsibleEnvironment, source: str, *args: t.Any) -> TemplateExpression:
            return self._compile_expression(environment, source, *args)

        for method in (compile, compile_expression):
            setattr(AnsibleEnvironment, method.__name__, method)

    def _compile(self, environment: AnsibleEnvironment, source: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
        """Compile a template, or the syntax tree of an expression, which is not cached here."""
        if not isinstance(source, str) or args or options:
            self._last_code = _original_compile(environment, source, *args, **options)
            return self._last_code
        file = self._file("template", environment, source)
        return self._read(file) or self._write(file, _original_compile(environment, source))

    def _compile_expression(self, environment: AnsibleEnvironment, source: str, *args: t.Any) -> TemplateExpression:
        file = self._file("expression", environment, source)
        if code := self._read(file):
            template = environment.template_class.from_code(environment, code, environment.make_globals(None), None)
            return TemplateExpression(template, *args)
        expression: TemplateExpression = _original_compile_expression(environment, source, *args)
        self._write(file, self._last_code)
        return expression

    def _file(self, kind: str, environment: AnsibleEnvironment, source: str) -> Path:
        context = _TemplateCompileContext.current(optional=True)
        settings = [getattr(environment, name) for name in _SETTINGS]
        key = ascii(
            [kind, str(source), context and context.escape_backslashes, settings, sorted(environment.extensions)]
        )
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    @staticmethod
    def _read(file: Path) -> types.CodeType | None:
        try:
            return t.cast(types.CodeType, marshal.loads(file.read_bytes()))
        except FileNotFoundError:
            return None

    @staticmethod
    def _write(file: Path, code: types.CodeType) -> types.CodeType:
        # Processes that compile the same template at the same time must not read a part of the file.
        new = file.with_name(f"{file.name}.{os.getpid()}")
        new.write_bytes(marshal.dumps(code))
        new.rename(file)
        return code
