// SPDX-License-Identifier: Apache-2.0
/**
 * Models of one operator, as ONNX files: a matrix product in the forms that a peer has kernels for, and transposed
 * convolutions. All hold the same
 * kind of weights (normal, scaled as layers are) and take and give float32, so that whole runs can be compared.
 */
import { writeOnnx } from '../../src/format/onnx-write.ts'
import type { OnnxAttribute, OnnxNode, OnnxTensor } from '../../src/format/onnx-records.ts'
import { randomNormal, seededRandom } from '../../src/base/rng.ts'

/** x [m, k] times weights [k, n]. */
export interface ProductShape {
  readonly m: number
  readonly k: number
  readonly n: number
}

/** Forms of the product, by the operator that does it. */
export type ProductForm = 'MatMul' | 'DynamicQuantizeMatMul' | 'MatMulNBits'

/** Elements along k that share a scale of 4-bit weights. */
const block = 32

/** The bytes of the model; input `x`, output `y`. The seed is fixed: every form of a shape has the same weights. */
export function productModel(form: ProductForm, shape: ProductShape): Uint8Array {
  const { m, n, k } = shape
  const { initializers, domain, attributes } = forms[form](weightsOf(shape), shape)
  return oneNodeModel({ opType: form, domain, attributes }, initializers, [m, k], [m, n])
}

/** x [1, inputs, size, size] to outputs channels, `kernel` pixels wide and as high, `stride` apart. */
export interface TransposedShape {
  readonly inputs: number
  readonly size: number
  readonly outputs: number
  readonly kernel: number
  readonly stride: number
}

/** The bytes of a ConvTranspose that makes stride times as many rows and columns; input `x`, output `y`. */
export function transposedModel({ inputs, size, outputs, kernel, stride }: TransposedShape): Uint8Array {
  const surplus = kernel - stride
  const [begin, end] = [Math.ceil(surplus / 2), Math.floor(surplus / 2)]
  const lists = { strides: [stride, stride], pads: [begin, begin, end, end] }
  const attributes = Object.entries(lists).map(([name, value]) => ({ name, kind: 'ints', value }) as const)
  const weights = weightsOf({ m: 1, k: inputs, n: outputs * kernel * kernel })
  const node = { opType: 'ConvTranspose', domain: '', attributes }
  const initializers = [tensor('w', 'float32', [inputs, outputs, kernel, kernel], weights)]
  return oneNodeModel(node, initializers, [1, inputs, size, size], [1, outputs, size * stride, size * stride])
}

function oneNodeModel(
  node: Pick<OnnxNode, 'opType' | 'domain' | 'attributes'>,
  initializers: readonly OnnxTensor[],
  x: readonly number[],
  y: readonly number[],
): Uint8Array {
  const float = (dims: readonly number[]) => ({ kind: 'tensor', dtype: 'float32', dims }) as const
  const inputs = ['x', ...initializers.map(({ name }) => name)]
  return writeOnnx({
    irVersion: 8,
    producerName: 'whittle-bench',
    producerVersion: '',
    domain: '',
    modelVersion: 1,
    docString: '',
    metadata: [],
    functions: [],
    opsets: [
      { domain: '', version: 17 },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: node.opType,
      nodes: [{ name: 'product', overload: '', inputs, outputs: ['y'], ...node }],
      inputs: [{ name: 'x', type: float(x) }],
      outputs: [{ name: 'y', type: float(y) }],
      valueInfos: [],
      initializers,
      sparseInitializers: [],
    },
  })
}

/** An input for the model: normal values. */
export function productInput({ m, k }: ProductShape): Float32Array {
  const random = seededRandom(11)
  return Float32Array.from({ length: m * k }, () => randomNormal(random))
}

/** [k][n], row-major. */
function weightsOf({ k, n }: ProductShape): Float32Array {
  const random = seededRandom(7)
  return Float32Array.from({ length: k * n }, () => randomNormal(random) / Math.sqrt(k))
}

interface Form {
  readonly initializers: readonly OnnxTensor[]
  readonly domain: string
  readonly attributes: readonly OnnxAttribute[]
}

const forms: Readonly<Record<ProductForm, (w: Float32Array, shape: ProductShape) => Form>> = {
  MatMul: (w, { k, n }) => ({ domain: '', attributes: [], initializers: [tensor('w', 'float32', [k, n], w)] }),

  /** Symmetric int8 per column. */
  DynamicQuantizeMatMul(w, { k, n }) {
    const bytes = new Int8Array(k * n)
    const scales = new Float32Array(n)
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < k; i++) scales[j] = Math.max(scales[j], Math.abs(w[i * n + j]) / 127)
      for (let i = 0; i < k; i++) bytes[i * n + j] = Math.round(w[i * n + j] / scales[j])
    }
    const initializers = [tensor('w', 'int8', [k, n], bytes), tensor('scales', 'float32', [n], scales)]
    return { domain: 'com.microsoft', attributes: [], initializers }
  },

  /** Symmetric 4 bits per block of a column: [n][k / 32][16], low nibble first, 8 is zero. */
  MatMulNBits(w, { k, n }) {
    const blocks = k / block
    const bytes = new Uint8Array((n * k) / 2)
    const scales = new Float32Array(n * blocks)
    for (let j = 0; j < n; j++) {
      for (let b = 0; b < blocks; b++) {
        const at = (i: number): number => w[(b * block + i) * n + j]
        let most = 0
        for (let i = 0; i < block; i++) most = Math.max(most, Math.abs(at(i)))
        const scale = most / 7
        scales[j * blocks + b] = scale
        for (let i = 0; i < block; i++) {
          const place = (j * blocks + b) * (block / 2) + (i >> 1)
          bytes[place] |= (Math.round(at(i) / scale) + 8) << (i % 2 === 0 ? 0 : 4)
        }
      }
    }
    const initializers = [
      tensor('w', 'uint8', [n, blocks, block / 2], bytes),
      tensor('scales', 'float32', [n * blocks], scales),
    ]
    const ints = { K: k, N: n, bits: 4, block_size: block, accuracy_level: 4 }
    const attributes = Object.entries(ints).map(([name, value]) => ({ name, kind: 'int', value }) as const)
    return { domain: 'com.microsoft', attributes, initializers }
  },
}

function tensor(name: string, dtype: OnnxTensor['dtype'], dims: readonly number[], data: ArrayBufferView): OnnxTensor {
  return { name, dtype, dims, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
}
