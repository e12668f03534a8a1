/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */

// Each cell gets the heading of its column, which site.css shows on phones, and names in it may break after a separator.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("article table.docutils")) {
    const headings = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.cells].forEach((cell, index) => (cell.dataset.heading = headings[index] || ""));
    }
  }
  const names = ["td code .pre", "h1", ".ansible-option-title strong", ".ansible-option-cell a.reference span"];
  for (const name of document.querySelectorAll(names.map((selector) => `article ${selector}`).join())) {
    for (const text of [...name.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)) {
      const parts = text.data.split(/(?<=[^_./][_./])(?=[^_./])/);
      text.replaceWith(...parts.flatMap((part, index) => (index ? [document.createElement("wbr"), part] : [part])));
    }
  }
});
