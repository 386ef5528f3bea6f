// SPDX-License-Identifier: Apache-2.0
/** Tensor: an element type, a flat row-major JavaScript array and dims. It does no arithmetic. */
import { InputError } from '../base/errors.ts'
import { type Dtype, type TensorData, dtypes, isDtype } from './dtype.ts'
import { sizeOf } from './shape.ts'

/** What is accepted as data: the dtype's own array, numbers, booleans for bool, or a Float16Array where there is one. */
export type TensorSource = TensorData | ArrayLike<number> | ArrayLike<bigint> | ArrayLike<boolean> | ArrayLike<string>

/**
 * A dense tensor, interchangeable with that of onnxruntime-common (`.type .data .dims .size`).
 *
 * `data` is kept, not copied, when it already is the dtype's array (see `dtypes`); numbers are converted.
 * @throws InputError when the type is unknown, a dim is not an integer >= 0, or data and dims disagree in length
 */
export class Tensor {
  readonly type: Dtype
  readonly data: TensorData
  readonly dims: readonly number[]
  /** Where the data lies, as onnxruntime-common says it of its own tensors. */
  readonly location = 'cpu'

  constructor(type: Dtype, data: TensorSource, dims: readonly number[] = [data.length]) {
    if (!isDtype(type)) {
      throw new InputError({
        where: 'Tensor.type',
        expected: `one of ${Object.keys(dtypes).join(' ')}`,
        got: String(type),
      })
    }
    const notArray = (value: unknown): boolean => typeof value !== 'object' || value === null
    if (notArray(data) || notArray(dims)) {
      const [part, value] = notArray(data) ? ['data', data] : ['dims', dims]
      throw new InputError({ where: `Tensor.${part}`, expected: 'an array', got: String(value) })
    }
    for (let axis = 0; axis < dims.length; axis++) {
      const dim = dims[axis]
      if (!Number.isSafeInteger(dim) || dim < 0) {
        throw new InputError({ where: `Tensor.dims[${axis}]`, expected: 'an integer >= 0', got: String(dim) })
      }
    }
    this.type = type
    this.dims = [...dims]
    this.data = toData(type, data)
    const { bits } = dtypes[type]
    const perItem = bits > 0 && bits < 8 ? 8 / bits : 1
    const wanted = Math.ceil(sizeOf(dims) / perItem)
    if (this.data.length !== wanted) {
      throw new InputError({
        where: `Tensor(${type}, [${dims.join(', ')}])`,
        expected: `${wanted} items of data`,
        got: String(this.data.length),
      })
    }
  }

  /** Number of logical elements. */
  get size(): number {
    return sizeOf(this.dims)
  }
}

/** The bytes of a tensor's data, a view (not a copy). @throws InputError for strings */
export function bytesOf(tensor: Pick<Tensor, 'type' | 'data'>): Uint8Array {
  const { data } = tensor
  if (!ArrayBuffer.isView(data)) throw new InputError({ where: 'Tensor', expected: 'a numeric type', got: tensor.type })
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** A tensor over these bytes: a view when they are aligned for the type, else a copy. */
export function tensorFromBytes(type: Dtype, bytes: Uint8Array, dims: readonly number[]): Tensor {
  const ArrayType = dtypes[type].array as typeof Uint8Array
  const size = ArrayType.BYTES_PER_ELEMENT
  const aligned = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes)
  const length = Math.floor(aligned.byteLength / size)
  return new Tensor(type, new ArrayType(aligned.buffer as ArrayBuffer, aligned.byteOffset, length), dims)
}

/** The same with elements of its own. */
export function copyOfTensor({ type, data, dims }: Tensor): Tensor {
  return new Tensor(type, copyOfData(data), dims)
}

/** Elements of its own. Made by the constructor, which copies without clearing the new array first, as slice() does. */
export function copyOfData(data: TensorData): TensorData {
  if (!ArrayBuffer.isView(data)) return [...data]
  return new (data.constructor as new (data: TensorData) => TensorData)(data)
}

function toData(type: Dtype, source: TensorSource): TensorData {
  const wanted = dtypes[type].array
  if (type === 'string') return Array.from(source as ArrayLike<string>)
  if (source instanceof wanted) return source as TensorData
  if (type === 'float16' && Object.prototype.toString.call(source) === '[object Float16Array]') {
    const half = source as unknown as Uint16Array
    return new Uint16Array(half.buffer, half.byteOffset, half.length)
  }
  if (ArrayBuffer.isView(source) && !(type === 'bool' && source instanceof Int8Array)) {
    const other = source.constructor.name
    // a typed array of another realm has the right name but another constructor
    if (other === wanted.name) return source as unknown as TensorData
    if (!(type === 'uint8' && other === 'Uint8ClampedArray')) {
      throw new InputError({ where: `Tensor(${type})`, expected: `a ${wanted.name} or numbers`, got: other })
    }
  }
  return fromNumbers(type, source as ArrayLike<number | bigint | boolean>)
}

/** Numbers of an untyped array as the dtype's. @throws InputError for one that the type cannot hold */
function fromNumbers(type: Dtype, source: ArrayLike<number | bigint | boolean>): TensorData {
  const { array, bits, kind } = dtypes[type]
  const packed = bits < 8 || (kind === 'float' && bits < 32)
  const data = new (array as typeof Float64Array | typeof BigInt64Array)(source.length)
  for (let i = 0; i < source.length; i++) {
    const value = source[i]
    const isWhole = kind === 'float' || packed || Number.isInteger(Number(value))
    if (isWhole) data[i] = data instanceof Float64Array || bits < 64 ? Number(value) : BigInt(value)
    // rounding is what float types are for; integers must come back as they went in
    if (!isWhole || (kind !== 'float' && !packed && Number(data[i]) !== Number(value))) {
      throw new InputError({ where: `Tensor(${type})`, expected: `values of ${type}`, got: String(value) })
    }
  }
  return data as TensorData
}
