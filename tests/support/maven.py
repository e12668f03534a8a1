# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Maven project that downloads one artifact."""

from __future__ import annotations

# Maven downloads an extension itself. A plugin would have to be installed on this machine.
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId><artifactId>test</artifactId><version>1</version><packaging>pom</packaging>
  <build><extensions><extension>
    <groupId>com.example</groupId><artifactId>lab-greeting</artifactId><version>1.0.0</version>
  </extension></extensions></build>
</project>
"""
