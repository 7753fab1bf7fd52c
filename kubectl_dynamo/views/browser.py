"""Looks and behaviour of a page, for `html`: nothing is loaded from anywhere."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --ink: #1f2933; --dim: #64707d; --line: #dde3e8; --soft: #f5f7f9; --paper: #fff;
  --good: #15803d; --bad: #b91c1c; --bar: #0891b2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ec; --dim: #9aa5b1; --line: #333b44; --soft: #1b2026; --paper: #111;
    --good: #4ade80; --bad: #f87171;
  }
}
body {
  font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
}
h1 { font-size: 1.4rem; margin: 0 0 .25rem }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0 }
.ok { color: var(--good) }
.bad { color: var(--bad) }
svg { width: 100%; height: auto }
section { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px; margin-bottom: 1rem }
th { text-align: left; color: var(--dim); font-weight: 600 }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line) }
.n { text-align: right; font-variant-numeric: tabular-nums }
.sort th { cursor: pointer; user-select: none; white-space: nowrap }
th[aria-sort=ascending]::after { content: " ▲" }
th[aria-sort=descending]::after { content: " ▼" }
tbody tr:hover { background: var(--soft) }
.pick td { font-weight: 600; background: var(--soft) }
.share { width: 50% }
.share div { background: var(--bar); height: .7rem; border-radius: 2px; min-width: 2px }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 }
dt { color: var(--dim) }
dd { margin: 0 }
"""

# A click on a heading sorts by it, a second one the other way round; cells with data-v sort as numbers.
SCRIPT: Final = """
function valueOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
}
function sortBy(table, heading, column) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((first, second) => {
    const a = valueOf(first, column), b = valueOf(second, column);
    const order = typeof a === "number" ? a - b : a.localeCompare(b);
    return up ? order : -order;
  });
  table.tBodies[0].append(...rows);
}
document.querySelectorAll("table.sort").forEach(table =>
  table.querySelectorAll("th").forEach((heading, column) =>
    heading.addEventListener("click", () => sortBy(table, heading, column))));
"""
