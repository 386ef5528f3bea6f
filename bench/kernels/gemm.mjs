// SPDX-License-Identifier: Apache-2.0
/**
 * Speed of the GEMM family: GMAC/s of one thread, the best of several rounds, per shape and kernel.
 *
 *     node bench/kernels/gemm.mjs [module.wasm] [name filter] [--together]
 *
 * Without a module the fastest build of `build/wasm` that this runtime accepts is measured. Operands are random, lie in
 * one memory, and stay in whatever cache their size fits.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { loadSources, root } from '../../scripts/load-source.mjs'

const ROUNDS = 120
const ROUND_MS = 4

const { table } = await loadSources({ table: 'src/kernels/table.ts' })
const { exports, memory } = await instantiate(process.argv[2])
const filter = process.argv[3] ?? ''
const tops = { next: 65536 }

/** The module at `file`, or the best build there is. */
async function instantiate(file) {
  const files = file ? [file] : ['relaxed', 'simd'].map((name) => path.join(root, 'build/wasm', `${name}.wasm`))
  const bytes = files.map((name) => readFileSync(name)).find((candidate) => WebAssembly.validate(candidate))
  const memory = new WebAssembly.Memory({ initial: 4096 })
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } })
  return { exports: instance.exports, memory }
}

/** Address of `bytes` fresh bytes; filled with small random numbers when `fill` names how. */
function place(bytes, fill) {
  const at = tops.next
  tops.next += Math.ceil((bytes + 64) / 64) * 64
  if (tops.next > memory.buffer.byteLength) throw new Error(`bench: expected operands below 256 MB, got ${tops.next}`)
  if (fill === 'f32') new Float32Array(memory.buffer, at, bytes >> 2).forEach((_, i, a) => (a[i] = Math.random() - 0.5))
  if (fill === 's8') new Int8Array(memory.buffer, at, bytes).forEach((_, i, a) => (a[i] = Math.random() * 255 - 127))
  if (fill === 'u7') new Uint8Array(memory.buffer, at, bytes).forEach((_, i, a) => (a[i] = Math.random() * 127))
  if (fill === 'i16') new Int16Array(memory.buffer, at, bytes >> 1).forEach((_, i, a) => (a[i] = Math.random() * 255))
  return at
}

/** Writes the argument words of `kernel` and returns their address. */
function encode(kernel, values) {
  const entries = Object.entries(table.kernelTable[kernel].args)
  const at = place(entries.length * 4)
  const view = new DataView(memory.buffer)
  entries.forEach(([name, kind], i) => {
    if (kind === 'f32') view.setFloat32(at + 4 * i, values[name] ?? 0, true)
    else view.setUint32(at + 4 * i, values[name] ?? 0, true)
  })
  return at
}

const kinds = {
  f32: { a: 'f32', size: 4, group: 1, weight: 4 },
  s8_dot: { a: 'u7', size: 1, group: 4, weight: 1 },
  s8_pairs: { a: 'i16', size: 2, group: 2, weight: 1 },
}
const after = { postScale: 1, activation: 0 }
const up = (value, step) => Math.ceil(value / step) * step

function quantArgs(m, n) {
  const aParams = place(m * 8)
  for (let i = 0; i < m; i++) new Float32Array(memory.buffer, aParams + 8 * i, 1)[0] = 0.01
  return { aParams, aParamsStride: 1, wScale: place(n * 4, 'f32'), wSum: place(up(n, 8) * 4) }
}

function gemm(kind, m, k, n, activation = 0) {
  const { a, size, group, weight } = kinds[kind]
  const lda = up(k, group)
  const kernel = `gemm_${kind}`
  const mb = Math.min(up(m, 6), 48)
  const nb = Math.min(up(n, 8), Math.max(32, Math.floor(262144 / k / weight / 8) * 8))
  const args = encode(kernel, {
    a: place(m * lda * size, a),
    lda,
    b: place(up(n, 8) * lda * weight, weight === 4 ? 'f32' : 's8'),
    c: place(m * n * 4),
    ldc: n,
    batch: 1,
    m,
    n,
    k,
    mb,
    nb,
    bias: place(n * 4, 'f32'),
    ...after,
    activation,
    ...(kind === 'f32' ? {} : quantArgs(m, n)),
  })
  return { kernel, args, units: Math.ceil(m / mb) * Math.ceil(n / nb), macs: m * n * k }
}

/** Weights with a scale per block of k. */
function scaled(kind, m, k, n, block, bits) {
  const { a, size, group } = kinds[kind]
  const lda = up(k, 2 * group)
  const kernel = `gemm_s${bits}_scaled_${kind.slice(3)}`
  const mb = Math.min(up(m, 12), 48)
  const nb = Math.min(up(n, 8), Math.max(32, Math.floor(262144 / k / 8) * 8))
  const side = Math.ceil(k / block) * up(n, 8) * 4
  const { aParams } = quantArgs(m, n)
  const wTerms = place(side)
  const args = encode(kernel, {
    a: place(m * lda * size, a),
    lda,
    b: place((up(n, 8) * lda * bits) / 8, 's8'),
    c: place(m * n * 4),
    ldc: n,
    batch: 1,
    m,
    n,
    k,
    mb,
    nb,
    bias: place(n * 4, 'f32'),
    ...after,
    aParams,
    rowTerms: aParams + 4,
    rowTermsRow: 2,
    wScale: place(side, 'f32'),
    wTerms,
    wZeros: wTerms,
    block,
    scratch: place(192 + 8 * lda),
    scratchBytes: 192 + 8 * lda,
  })
  return { kernel, args, units: Math.ceil(m / mb) * Math.ceil(n / nb), macs: m * n * k }
}

/** Ascending places below `size`, each kept with probability `density`, for each of `lists`; and where each list begins. */
function placesOf(lists, size, density, step = 1) {
  const starts = [0]
  const depths = []
  for (let list = 0; list < lists; list++) {
    for (let i = 0; i < size; i++) if (Math.random() < density) depths.push(i * step)
    starts.push(depths.length)
  }
  const write = (values) => {
    const at = place(values.length * 4)
    new Uint32Array(memory.buffer, at, values.length).set(values)
    return at
  }
  return { count: depths.length, starts: write(starts), depths: write(depths) }
}

/** Weights of which some are not zero. Rates count the zeros too. */
function sparseRows(kind, m, k, n, density) {
  const { a, size } = kinds[kind]
  const { count, starts, depths } = placesOf(n, k, density, 32 * size)
  const nb = 64
  const kernel = kind === 'f32' ? 'spmm_f32' : `spmm_rows_${kind}`
  const scratchBytes = 32 * (k + 1) * size + 512 + 132 * nb
  const args = encode(kernel, {
    a: place(k * m * size, a),
    values: place(count * size, kind === 'f32' ? 'f32' : 's8'),
    depths,
    starts,
    c: place(m * n * 4),
    ldc: n,
    m,
    n,
    k,
    nb,
    scratch: place(scratchBytes),
    scratchBytes,
    bias: place(n * 4, 'f32'),
    ...after,
    ...(kind === 'f32' ? {} : quantArgs(m, n)),
  })
  return { kernel, args, units: Math.ceil(m / 32) * Math.ceil(n / nb), macs: m * n * k }
}

/** int8 weights of which some blocks of 8 x 8 are not zero. Rates count the zeros too. */
function sparseBlocks(kind, m, k, n, density) {
  const { a, size } = kinds[kind]
  const { count, starts, depths } = placesOf(n / 8, k / 8, density)
  const { aParams, wScale } = quantArgs(m, n)
  const [mb, nb] = [48, 64]
  const kernel = `spmm_${kind}`
  const args = encode(kernel, {
    a: place(m * k * size, a),
    lda: k,
    b: place(count * 64, 's8'),
    depths,
    starts,
    sums: place(count * 32),
    c: place(m * n * 4),
    ldc: n,
    m,
    n,
    mb,
    nb,
    aParams,
    wScale,
    scratch: place(4 * nb + 192),
    bias: place(n * 4, 'f32'),
    ...after,
  })
  return { kernel, args, units: Math.ceil(m / mb) * Math.ceil(n / nb), macs: m * n * k }
}

function conv(kind, inH, inW, channels, n, kh, kw) {
  const { a, size, group, weight } = kinds[kind]
  const k = kh * kw * channels
  const ldp = up(k, group)
  const m = inH * inW
  const kernel = `conv_${kind}`
  const mb = 48
  const args = encode(kernel, {
    a: place(m * channels * size, a),
    b: place(up(n, 8) * ldp * weight, weight === 4 ? 'f32' : 's8'),
    c: place(m * n * 4),
    ldc: n,
    batch: 1,
    m,
    n,
    k,
    mb,
    nb: up(n, 8),
    bias: place(n * 4, 'f32'),
    ...after,
    groups: 1,
    inH,
    inW,
    outW: inW,
    kh,
    kw,
    strideH: 1,
    strideW: 1,
    padTop: kh >> 1,
    padLeft: kw >> 1,
    dilationH: 1,
    dilationW: 1,
    channels,
    pixelStride: channels,
    scratch: place(mb * ldp * size),
    ldp,
    ...(kind === 'f32' ? {} : { ...quantArgs(1, n), aParamsStride: 0 }),
  })
  return { kernel, args, units: Math.ceil(m / mb), macs: m * n * k }
}

function depthwise(inH, inW, channels, kh, kw) {
  const kernel = 'dwconv_f32'
  const args = encode(kernel, {
    x: place(inH * inW * channels * 4, 'f32'),
    w: place(kh * kw * channels * 4, 'f32'),
    y: place(inH * inW * channels * 4),
    images: 1,
    channels,
    inH,
    inW,
    outH: inH,
    outW: inW,
    kh,
    kw,
    strideH: 1,
    strideW: 1,
    padTop: kh >> 1,
    padLeft: kw >> 1,
    dilationH: 1,
    dilationW: 1,
    bias: place(channels * 4, 'f32'),
    ...after,
    activation: 5,
  })
  return { kernel, args, units: inH, macs: inH * inW * channels * kh * kw }
}

function quantize(kernel, m, k) {
  const args = encode(kernel, {
    x: place(m * k * 4, 'f32'),
    ldx: k,
    q: place(m * k * 2),
    ldq: k,
    params: place(m * 8),
    m,
    k,
  })
  return { kernel, args, units: m, macs: m * k }
}

const cases = {
  'gemm 128x1024x1024': (kind) => gemm(kind, 128, 1024, 1024),
  'gemm 128x384x1536': (kind) => gemm(kind, 128, 384, 1536),
  'gemm 1024x1024x1024': (kind) => gemm(kind, 1024, 1024, 1024),
  'gemm 960x480x480': (kind) => gemm(kind, 960, 480, 480),
  'gemm 960x480x480 HardSwish': (kind) => gemm(kind, 960, 480, 480, 5),
  'gemm 3840x32x64': (kind) => gemm(kind, 3840, 32, 64),
  'gemm 40x120x360': (kind) => gemm(kind, 40, 120, 360),
  'gemm 1x2048x2048': (kind) => gemm(kind, 1, 2048, 2048),
  'conv 3x3 64ch 28x28': (kind) => conv(kind, 28, 28, 64, 64, 3, 3),
  'conv 3x3 3ch to 16 48x320': (kind) => conv(kind, 48, 320, 3, 16, 3, 3),
}
const blockShapes = [
  [128, 384, 1536],
  [1024, 1024, 1024],
  [4, 2048, 2048],
  [1, 2048, 2048],
  [1, 576, 1536],
]
const blockForms = ['s8_dot', 's8_pairs'].flatMap((kind) =>
  [8, 4].flatMap((bits) => [32, 128].map((block) => [kind, bits, block])),
)
const blockJobs = blockForms.flatMap(([kind, bits, block]) =>
  blockShapes.map(([m, k, n]) => [`blocks of ${block} ${m}x${k}x${n}`, () => scaled(kind, m, k, n, block, bits)]),
)
const sparseJobs = [0.05, 0.1, 0.2, 0.25, 0.3, 0.5].flatMap((density) => {
  const name = `${Math.round(100 * (1 - density))} % zeros 128x1024x1024`
  return [
    ...Object.keys(kinds).map((kind) => [name, () => sparseRows(kind, 128, 1024, 1024, density)]),
    ...['s8_dot', 's8_pairs'].map((kind) => [name, () => sparseBlocks(kind, 128, 1024, 1024, density)]),
  ]
})
const jobs = [
  ...blockJobs,
  ...sparseJobs,
  ...Object.entries(cases).flatMap(([name, make]) => Object.keys(kinds).map((kind) => [name, () => make(kind)])),
  ['dw 3x3 64ch 24x160', () => depthwise(24, 160, 64, 3, 3)],
  ['dw 5x5 240ch 6x160', () => depthwise(6, 160, 240, 5, 5)],
  ['rows 960x480', () => quantize('quantize_rows_u8', 960, 480)],
  ['rows 960x480', () => quantize('quantize_rows_i16', 960, 480)],
]

/** With --together the jobs take turns, so that whatever the machine does meanwhile meets all of them. */
const chosen = jobs.filter(([name]) => name.includes(filter))
const together = process.argv.includes('--together')
for (const group of together ? [chosen] : chosen.map((job) => [job])) {
  tops.next = 65536
  const lanes = group.map(([name, make]) => ({ name, ...make(), best: 0 }))
  const repeats = ({ kernel, args, units, macs }, limit) => {
    const start = performance.now()
    let count = 0
    let now = start
    for (; now - start < limit; count++) {
      exports[kernel](args, 0, units, 0)
      now = performance.now()
    }
    return (macs * count) / (now - start) / 1e6
  }
  for (const lane of lanes) repeats(lane, 150)
  for (let round = 0; round < ROUNDS; round++) {
    for (const lane of lanes) lane.best = Math.max(lane.best, repeats(lane, ROUND_MS))
  }
  for (const { name, kernel, best } of lanes)
    console.log(`${name.padEnd(28)} ${kernel.padEnd(18)} ${best.toFixed(1).padStart(7)} G/s`)
}
