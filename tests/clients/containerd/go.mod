// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

module containerd-pull

go 1.24

require github.com/containerd/containerd/v2 v2.1.4
