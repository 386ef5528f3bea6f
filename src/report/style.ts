// SPDX-License-Identifier: Apache-2.0
/** The report's style sheet: system fonts, two colour schemes, one column on narrow screens, ink on white when printed. */
export const style = `
:root { color-scheme: light dark;
  --paper: #f6f5f2; --card: #ffffff; --ink: #1d1f24; --soft: #5d6470; --line: #e4e2dc; --area: #b9cbe8; --good: #1f7a58;
  --c0: #3566b8; --c1: #d9622b; --c2: #2f9e77; --c3: #8a5bb5; --c4: #b8405e; --c5: #7b818c }
@media (prefers-color-scheme: dark) { :root {
  --paper: #121418; --card: #1b1e24; --ink: #e9e7e2; --soft: #a2a8b3; --line: #2f343d; --area: #3b5580; --good: #63cfa5;
  --c0: #7aa7f0; --c1: #f0955c; --c2: #5fcfa5; --c3: #c08be8; --c4: #f07b98; --c5: #8d939e } }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 1.4rem 1.2rem }
header { padding-bottom: 0 } header p, footer p { color: var(--soft); margin: .3rem 0 0 }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere }
h3 { font-size: .9rem; font-weight: 600; margin: 0; overflow-wrap: anywhere }
main { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 1rem }
section { grid-column: span 3; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.2rem; min-width: 0 }
section p { color: var(--soft); margin: .2rem 0 .8rem; max-width: 96ch }
.wide { grid-column: 1 / -1 } .third { grid-column: span 2; padding: .9rem 1rem .7rem } .bare { background: none; border: 0; padding: .8rem 0 0 }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1rem; background: none; border: 0; padding: 0 }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .9rem 1.1rem }
.cards span { color: var(--soft); font-size: .85rem } .cards b { display: block; font-size: 1.75rem; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums }
.plot { position: relative; width: 100% }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 3px; margin: 0 .3em 0 .8em; vertical-align: -.05em }
.scroll { overflow: auto; max-height: 34rem; margin-top: .7rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .32rem 0 .32rem 1.2rem; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, .text { text-align: left } th:first-child, td:first-child { padding-left: 0 }
thead th { position: sticky; top: 0; background: var(--card); color: var(--soft); font-weight: 500 }
tbody tr:last-child td { border-bottom: 0 } .none td { color: var(--soft) }
@media (max-width: 960px) { .third { grid-column: span 3 } }
@media (max-width: 700px) { main { grid-template-columns: minmax(0, 1fr) } section, .third { grid-column: 1 / -1 } .cards { grid-template-columns: 1fr 1fr }
  .cards b { font-size: 1.35rem } header, main, footer { padding-left: .8rem; padding-right: .8rem } section { padding: .9rem } .bare, .cards { padding: 0 } }
@media print { :root { --paper: #fff } .scroll { max-height: none } section { break-inside: avoid } }
`
