"""The frame of the page that sums up a batch: it needs nothing but the files beside it."""

from string import Template

PAGE_TEXT = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
:root { color-scheme: light dark; --line: #d0d0d0; --head: #f2f2f2; --bad: #b3261e; --dim: #777; }
@media (prefers-color-scheme: dark) {
  :root { --line: #444; --head: #262930; --bad: #ff8a80; --dim: #999; }
}
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; }
td { vertical-align: top; overflow-wrap: anywhere; }
th { background: var(--head); cursor: pointer; position: sticky; top: 0; white-space: nowrap; }
th[aria-sort="ascending"]::after { content: " ▲"; }
th[aria-sort="descending"]::after { content: " ▼"; }
td:nth-child(4), td:nth-child(5), td:nth-child(6), td:nth-child(7) {
  font-variant-numeric: tabular-nums; white-space: nowrap;
}
img { width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; }
.failed td:nth-child(3), .failed td:nth-child(8) { color: var(--bad); }
.waiting, .stopped td:nth-child(3) { color: var(--dim); }
</style>
<h1>$title</h1>
<p>$counted</p>
<table>
<thead><tr>$head</tr></thead>
<tbody>
$rows
</tbody>
</table>
<script>
const body = document.querySelector("tbody");
const heads = [...document.querySelectorAll("th")];
const key = (row, n) => row.cells[n].dataset.key ?? row.cells[n].textContent;
heads.forEach((head, n) => head.addEventListener("click", () => {
  const sign = head.ariaSort === "ascending" ? -1 : 1;
  heads.forEach(other => other.ariaSort = null);
  head.ariaSort = sign > 0 ? "ascending" : "descending";
  const words = (a, b) => sign * key(a, n).localeCompare(key(b, n), undefined, {numeric: true});
  const numbers = (a, b) => sign * (Number(key(a, n)) - Number(key(b, n)));
  const rows = [...body.rows];
  const told = rows.filter(row => key(row, n) !== "");
  const numeric = told.every(row => !Number.isNaN(Number(key(row, n))));
  const empty = rows.filter(row => key(row, n) === "");
  body.append(...told.sort(numeric ? numbers : words), ...empty);
}));
</script>
</html>
""")
