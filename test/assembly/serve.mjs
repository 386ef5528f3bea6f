// SPDX-License-Identifier: Apache-2.0
/** A helper thread: instantiates the build over the shared memory, says so, and serves until it is stopped. */
import { parentPort, workerData } from 'node:worker_threads'

const { module, memory, control, thread, delay } = workerData
const { exports } = new WebAssembly.Instance(module, { env: { memory } })
if (delay > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delay)
parentPort.postMessage('ready')
exports.serve(control, thread)
parentPort.postMessage('returned')
