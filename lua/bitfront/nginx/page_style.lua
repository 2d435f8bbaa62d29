--- The page's style. The page's policy allows the text by its hash, which a spec
-- checks.

return { hash = "sha256-CviOEp0V3UTKR6cnfk/MFScgA6vONxHsaCk+88b9KR4=", text = [[

:root {
  color-scheme: light dark;
  --paper: #f6f6f3; --card: #ffffff; --ink: #1c2127; --soft: #59636e;
  --line: #e2e3de; --accent: #0b6b5c; --locked: #c2792a; --free: #2f8f7d;
  --empty: #e9eae6; --notice: #fdf3e1; --notice-ink: #6b3f05; --new: #e4f3ee;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1c2024; --ink: #e6e8ea; --soft: #a2abb4;
    --line: #2d3338; --accent: #6fd0bb; --locked: #d9954a; --free: #4ba893;
    --empty: #2d3338; --notice: #35280f; --notice-ink: #f4d199; --new: #1d3530;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
main {
  width: fit-content; min-width: min(100%, 64rem); max-width: 100%;
  margin: 0 auto; padding: 2.5rem 2rem 4rem;
}
header {
  display: flex; flex-wrap: wrap; gap: .5rem 3rem;
  justify-content: space-between; align-items: flex-end; margin-bottom: 1.25rem;
}
h1 {
  font-size: 1.75rem; line-height: 1.2; font-weight: 650;
  letter-spacing: -.01em; margin: 0;
}
.worth { margin: 0; text-align: right; }
.worth .what { display: block; color: var(--soft); font-size: .875rem; }
.worth .amount {
  font-size: 1.375rem; font-weight: 600; white-space: normal;
  overflow-wrap: anywhere;
}
.worth .fraction { font-size: .8em; }
.bar-of-state {
  display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center;
  justify-content: space-between; min-height: 2.25rem; margin-bottom: .75rem;
  color: var(--soft); font-size: .875rem;
}
.bar-of-state p { margin: 0; }
#state { flex: 1 0 100%; }
#state:not(:empty), .message:not(:empty) {
  padding: .625rem .875rem; border-radius: .5rem; font-size: .875rem;
  background: var(--notice); color: var(--notice-ink); overflow-wrap: anywhere;
}
section header { align-items: baseline; gap: .25rem 1rem; margin: 2rem 0 .625rem; }
h2 {
  font-size: 1.125rem; line-height: 1.4; font-weight: 650; margin: 0;
  overflow-wrap: anywhere;
}
.made { flex: 1 0 auto; margin: 0; color: var(--soft); font-size: .875rem; }
section .worth .what { display: inline; margin-right: .5rem; }
section .worth .amount { font-size: 1rem; }
.message { margin: 0 0 .625rem; }
.message:empty { display: none; }
button { font: inherit; color: inherit; cursor: pointer; }
button:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px;
  border-radius: .25rem;
}
#pause {
  padding: .3rem .875rem; border: 1px solid var(--line); border-radius: 1rem;
  background: var(--card); color: var(--ink);
}
#pause[aria-pressed="true"] { border-color: var(--accent); color: var(--accent); }
.card {
  position: relative; overflow-x: auto; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem;
}
table { width: 100%; border-collapse: collapse; }
caption, .unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap;
}
th, td { padding: .75rem .875rem; text-align: right; vertical-align: baseline; }
th:first-child, th:last-child, td:last-child { text-align: left; }
th:first-child { padding-left: 1.5rem; }
th:last-child, td:last-child {
  padding-left: 1.75rem; padding-right: 1.5rem; width: 13rem;
}
thead th {
  border-bottom: 1px solid var(--line); color: var(--soft);
  font-size: .8125rem; font-weight: 500; white-space: nowrap;
}
thead button {
  padding: .125rem 0; border: 0; background: none; font-weight: inherit;
}
thead button:hover { color: var(--ink); }
thead button::after {
  content: "\2195"; content: "\2195" / ""; display: inline-block; width: 1.1em; text-align: right;
  opacity: .55;
}
[aria-sort] button { color: var(--ink); font-weight: 650; }
[aria-sort="ascending"] button::after {
  content: "\2191"; content: "\2191" / ""; opacity: 1;
}
[aria-sort="descending"] button::after {
  content: "\2193"; content: "\2193" / ""; opacity: 1;
}
/* The columns of several tables are one below the other, where their amounts fit. */
header ~ .card thead th { width: 13%; }
header ~ .card [data-key="value"] { width: auto; }
header ~ .card thead th:last-child { width: 13rem; }
tbody tr + tr { border-top: 1px solid var(--line); }
tbody tr.changed { animation: changed 2.5s ease-out; }
@keyframes changed { from { background: var(--new); } }
tbody th {
  font-weight: 650; overflow-wrap: anywhere; min-width: 6ch;
  unicode-bidi: isolate;
}
.amount { white-space: nowrap; }
.group { margin-left: .22em; }
.fraction { color: var(--soft); }
.pad { visibility: hidden; }
.in-card { display: none; }
.label { display: none; }
.none { color: var(--soft); }
.share {
  display: flex; gap: .75rem; align-items: center; color: var(--soft);
  font-size: .8125rem; white-space: nowrap;
}
.share svg {
  flex: 1 1 4rem; width: 4rem; height: .5rem; border-radius: .25rem;
  overflow: hidden;
}
.share span { flex: 0 0 4.2em; text-align: right; }
.free { fill: var(--free); }
.locked { fill: var(--locked); }
.empty { fill: var(--empty); }
.key { display: inline-flex; gap: 1.25rem; }
.key span::before {
  content: ""; display: inline-block; width: .75rem; height: .5rem;
  border-radius: .25rem; margin-right: .5rem; vertical-align: .08em;
}
.key .is-free::before { background: var(--free); }
.key .is-locked::before { background: var(--locked); }
footer {
  display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin-top: 1rem;
  color: var(--soft); font-size: .8125rem;
}
footer p { margin: 0; }
.nothing {
  margin: 0; padding: 2.5rem 1.5rem; text-align: center; color: var(--soft);
}
[hidden] { display: none !important; }

@media (max-width: 64rem) {
  main { width: auto; min-width: 0; padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  .worth { text-align: left; }
  .worth .amount { font-size: 1rem; }
  .card { overflow-x: visible; }
  table, thead, tbody { display: block; }
  thead tr {
    display: flex; flex-wrap: wrap; gap: 0 1.25rem; padding: .5rem 1rem;
    border-bottom: 1px solid var(--line);
  }
  thead th, thead th:first-child, header ~ .card thead th {
    padding: .25rem 0; border: 0; width: auto; text-align: left;
  }
  thead th:last-child, header ~ .card thead th:last-child {
    position: absolute; width: 1px; height: 1px; padding: 0;
    overflow: hidden; clip-path: inset(50%);
  }
  tbody tr {
    display: grid; grid-template-columns: minmax(5ch, 1fr) auto;
    gap: .125rem 1rem; align-items: baseline; padding: .875rem 1rem;
  }
  tbody th, tbody th:first-child { padding: 0; font-size: 1.0625rem; }
  tbody td, tbody td:last-child {
    display: flex; justify-content: space-between; gap: .5rem;
    grid-column: 1 / -1; width: auto; padding: 0;
    color: var(--soft); font-size: .8125rem;
  }
  tbody td.balance {
    grid-column: 2; display: block; color: var(--ink); font-size: 1.0625rem;
  }
  tbody td.bar { display: block; margin-top: .375rem; }
  .label { display: inline; }
  td.balance .label { display: none; }
  tbody .amount { white-space: normal; overflow-wrap: anywhere; }
  td.value .amount { font-size: .75rem; }
}
/* The points of a card meet where all its amounts have one size. */
@media (min-width: 500px) and (max-width: 64rem) {
  tbody td, tbody td.balance, td.value .amount { font-size: .9375rem; }
  .label { font-size: .8125rem; }
  .in-card { display: inline; }
}
@media (max-width: 499px) {
  section .worth { flex: 1 0 100%; }
  section .worth .what { display: block; }
}
@media (prefers-reduced-motion: reduce) {
  tbody tr.changed { animation: none; }
}
@media (forced-colors: active) {
  .share svg { forced-color-adjust: none; }
}
@media print {
  #pause, #state { display: none; }
  .card { border: 0; }
}
]] }
