// SPDX-License-Identifier: Apache-2.0
/**
 * `node scripts/operators.mjs`: writes docs/operators.md, the operators of src/ops/table.ts by domain, and which of them
 * have kernels. test/ops/list.test.ts holds the file against the table.
 */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from 'oxfmt'
import { loadSources, root } from './load-source.mjs'

export const file = path.join(root, 'docs/operators.md')

const titles = { '': 'ONNX', 'com.microsoft': 'com.microsoft', whittle: 'whittle' }

/** Done away with before anything runs: by inference, or by passes and the importer. */
const gone = ['Constant', 'If', 'Loop', 'Scan', 'Shape', 'Size']

/** @param {Record<string, { lower?: unknown }>} ops definitions by name */
export async function operatorsText(ops) {
  const byDomain = new Map()
  for (const name of Object.keys(ops).sort()) {
    const domain = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : ''
    byDomain.set(domain, [...(byDomain.get(domain) ?? []), name])
  }
  const sections = [...byDomain]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([domain, names]) => {
      const short = (name) => name.slice(domain === '' ? 0 : domain.length + 1)
      const kernels = names.filter((name) => ops[name].lower).map(short)
      const others = names.filter((name) => !ops[name].lower && !gone.includes(name)).map(short)
      return `## ${titles[domain] ?? domain}

With kernels (${kernels.length}): ${kernels.join(', ')}.
${others.length === 0 ? '' : `\nBy their reference, in JavaScript, unless a pass writes them in others (${others.length}): ${others.join(', ')}.\n`}`
    })
  const text = `# Operators

Every operator that whittle loads, in all opsets that have it: older forms are brought to the newest when a file is read.
Written by \`node scripts/operators.mjs\`. A kernel may not take every type and shape: \`session.profile()\` names the
steps that ran in JavaScript and says why, and \`whittle inspect\` lists the operators of a file that are not here.

If, Loop and Scan are run with their bodies; an If becomes both branches and a choice, or the branch taken where the
condition is constant. Constant, Shape and Size are known before anything runs. float16 and bfloat16 are computed with in
float32. The operators of the domain \`whittle\` are what the passes write (ARCHITECTURE.md).

${sections.join('\n')}`
  const options = JSON.parse(await readFile(path.join(root, '.oxfmtrc.json'), 'utf8'))
  return (await format(file, text, options)).code
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { table } = await loadSources({ table: 'src/ops/table.ts' })
  const names = Object.keys(table.opTable)
  const ops = await table.loadOps(names)
  await writeFile(file, await operatorsText(Object.fromEntries(names.map((name) => [name, ops.get(name)]))))
}
