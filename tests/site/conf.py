# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of Sphinx for the documentation site. tests/tools/build_site.py copies this file to its sources."""

project = "cgr.pull_through"
author = "cgr.pull_through contributors"
project_copyright = f"2026 {author}"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 4
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True
# References to the documentation of Ansible itself, which is not at hand.
nitpick_ignore_regex = [
    (
        "std:ref",
        r"(ansible_collections\.ansible\.|ansible_configuration_settings|attributes|common_return|community|communication|developing|intro|playbooks).*",
    )
]

html_theme = "furo"
html_title = "cgr.pull_through"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
