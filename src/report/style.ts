// SPDX-License-Identifier: Apache-2.0
/** The report's style sheet: system fonts, two colour schemes, one column on narrow screens. */
export const style = `
:root { --paper: #fbfaf8; --card: #ffffff; --ink: #1d1f24; --soft: #5d6470; --line: #e2e0da;
  --c0: #3566b8; --c1: #d9822b; --c2: #2f9e77; --c3: #9a55b5; --c4: #b8405e; --c5: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --card: #1c1f25; --ink: #e8e6e1; --soft: #9aa1ad; --line: #2e333c;
  --c0: #7aa7f0; --c1: #f0a95c; --c2: #5fcfa5; --c3: #c98be0; --c4: #f07b98; --c5: #9ca3af; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
header, main { max-width: 1180px; margin: 0 auto; padding: 1.2rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.05rem; margin: 0 }
header p, section p { color: var(--soft); margin: .2rem 0 .6rem }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1rem }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; min-width: 0 }
.wide { grid-column: 1 / -1 }
.cards { display: flex; flex-wrap: wrap; gap: 1rem 3rem } .cards b { display: block; font-size: 1.7rem } .cards span { color: var(--soft) }
.plot { position: relative; width: 100% }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap } th { color: var(--soft); font-weight: 500 }
@media (max-width: 700px) { main { grid-template-columns: minmax(0, 1fr) } }
`
