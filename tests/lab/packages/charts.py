# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm charts, which a registry serves like images."""

from __future__ import annotations

import json

from .. import archives, images

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
# Versions, which are the tags, by name.
CATALOG = {"example.com/iamguarded-charts/lab-greeting": ("1.0.0", "1.1.0")}


def build(name: str, version: str, serial: int = 0) -> images.BuiltImage:
    """Build number `serial` of a version: a manifest with the chart as its only layer."""
    short = name.rpartition("/")[2]
    metadata = {"apiVersion": "v2", "name": short, "version": version, "appVersion": str(serial)}
    values = "greeting: hello\n"
    template = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: greeting\n"
    files = {"Chart.yaml": json.dumps(metadata), "values.yaml": values, "templates/greeting.yaml": template}
    packed = archives.gzip(archives.tar({f"{short}/{path}": text.encode() for path, text in files.items()}))
    config, chart = images.Content.from_json(CONFIG, metadata), images.Content.from_bytes(CHART, packed)
    return images.BuiltImage((images.build_manifest(config, [chart]),), (config, chart))
