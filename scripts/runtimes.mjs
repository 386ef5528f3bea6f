// SPDX-License-Identifier: Apache-2.0
/**
 * Fetches other JavaScript runtimes into the ignored `.cache/runtimes/`, so that they are nobody's dependency.
 *
 * A runtime is an npm package that holds a binary. It is installed on first use, without its scripts, and found there
 * from then on; an install that fails leaves nothing behind.
 *
 *     node scripts/runtimes.mjs node24        # prints the binary's path
 */
import { spawn } from 'node:child_process'
import { access, chmod, constants, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './load-source.mjs'

const { platform, arch } = process
const suffix = platform === 'win32' ? '.exe' : ''
const nodeName = `node-${platform === 'win32' ? 'win' : platform}-${arch}`

function node(major) {
  return { spec: `${nodeName}@${major}`, binary: `node_modules/${nodeName}/bin/node${suffix}` }
}

const denoTargets = {
  'linux-x64': 'linux-x64-glibc',
  'linux-arm64': 'linux-arm64-glibc',
  'darwin-x64': 'darwin-x64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'win32-x64',
}
const bunArch = arch === 'arm64' ? 'aarch64' : arch
const bunOs = platform === 'win32' ? 'windows' : platform
const workerdName = `@cloudflare/workerd-${bunOs}-${arch === 'x64' ? '64' : arch}`

/** What to install and where its binary lies then. */
const runtimes = {
  node20: node(20),
  node22: node(22),
  node24: node(24),
  node26: node(26),
  deno: {
    spec: `@deno/${denoTargets[`${platform}-${arch}`]}@2`,
    binary: `node_modules/@deno/${denoTargets[`${platform}-${arch}`]}/deno${suffix}`,
  },
  bun: {
    spec: `@oven/bun-${bunOs}-${bunArch}@1`,
    binary: `node_modules/@oven/bun-${bunOs}-${bunArch}/bin/bun${suffix}`,
  },
  workerd: {
    spec: `${workerdName}@1`,
    binary: `node_modules/${workerdName}/bin/workerd${suffix}`,
  },
}

export const runtimeNames = Object.keys(runtimes)

function npmInstall(folder, spec) {
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--prefix', folder, spec]
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], shell: platform === 'win32' })
    let complaint = ''
    child.stderr.on('data', (data) => (complaint += data))
    child.on('error', reject)
    child.on('exit', (code) => {
      if (code === 0) resolve()
      else
        reject(
          new Error(`npm install ${spec}: ${complaint.trim().split('\n').slice(0, 2).join(' ') || `exit ${code}`}`),
        )
    })
  })
}

const isExecutable = (file) =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )

/**
 * Path of a runtime's binary, fetched first where it is not there yet.
 * @param {string} name one of `runtimeNames`
 */
export async function fetchRuntime(name) {
  const runtime = runtimes[name]
  if (!runtime) throw new Error(`runtime: expected ${runtimeNames.join(', ')}, got ${name}`)
  const folder = path.join(root, '.cache/runtimes', name)
  const binary = path.join(folder, runtime.binary)
  if (await isExecutable(binary)) return binary
  const unfinished = `${folder}.${process.pid}.tmp`
  try {
    await mkdir(unfinished, { recursive: true })
    await writeFile(path.join(unfinished, 'package.json'), '{ "private": true }\n')
    await npmInstall(unfinished, runtime.spec)
    await chmod(path.join(unfinished, runtime.binary), 0o755)
    await rm(folder, { recursive: true, force: true })
    await rename(unfinished, folder)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw error
  }
  return binary
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    console.log(await fetchRuntime(process.argv[2] ?? ''))
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
