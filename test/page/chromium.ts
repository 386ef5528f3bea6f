// SPDX-License-Identifier: Apache-2.0
/** Headless Chromium, where the machine has one. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const paths = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const executable = paths.find((path) => path !== undefined && existsSync(path))

/** undefined when Chromium can be had, else why tests with it are skipped. */
export const missingChromium: string | undefined =
  executable === undefined ? 'skipped: no Chromium (install Debian’s chromium, or set CHROMIUM)' : undefined

export function launchChromium(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
  return chromium.launch({
    executablePath: executable,
    args: [...args, '--disable-component-update', '--disable-sync'],
  })
}
