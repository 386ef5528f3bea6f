// SPDX-License-Identifier: Apache-2.0
/** Runs the errand in a runtime with files, and prints what comes back as JSON: command-line.mjs INDEX_JS FOLDER */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { runErrand } from './errand.mjs'

const [index, folder] = argv.slice(2)
const whittle = await import(pathToFileURL(index).href)
const address = (name) => join(folder, name)
const read = async (name) => new Uint8Array(await readFile(address(name)))
console.log(JSON.stringify(await runErrand(whittle, read, address)))
