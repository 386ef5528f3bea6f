// SPDX-License-Identifier: Apache-2.0
/** A helper thread that comes up and dies as soon as it is to serve. */
import { parentPort } from 'node:worker_threads'

parentPort.on('message', ({ id, path }) => {
  if (path?.includes('serve')) process.exit(3)
  parentPort.postMessage({ id, type: 'RAW', value: undefined })
})
