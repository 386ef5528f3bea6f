// SPDX-License-Identifier: Apache-2.0
/**
 * The module's exports, the same in all four builds: the walker, the probe, and every kernel by the name of its row in
 * src/kernels/. Memory is imported; there are no data segments and no state outside it.
 */
export * from './elementwise'
export * from './gemm'
export * from './integer'
export * from './move'
export * from './pack'
export * from './probe'
export * from './quantized'
export * from './reduce'
export * from './sparse'
export { resume, run, serve, stop } from './run'
