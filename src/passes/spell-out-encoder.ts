// SPDX-License-Identifier: Apache-2.0
/**
 * Rules for what ONNX Runtime's tools make of encoders: Attention is products, so that what quantises weights sees those
 * inside it, and MultiHeadAttention; EmbedLayerNormalization is Gathers, Adds and LayerNormalization.
 */
import { type Dim, areKnown, floorDiv } from '../ir/dim.ts'
import type { Attributes, Node } from '../ir/graph.ts'
import type { Patch } from '../ir/patch.ts'
import type { Rule, View } from '../ir/rewrite.ts'
import { dtypes } from '../tensor/dtype.ts'
import { Tensor } from '../tensor/tensor.ts'

/** Nodes in the place of one; the first is called as that was. */
class Spelling {
  readonly #nodes: Node[] = []
  readonly #constants: Record<string, Tensor> = {}
  readonly #node: Node
  readonly #view: View

  constructor(node: Node, view: View) {
    this.#node = node
    this.#view = view
  }

  /** A node. @param outputs how many, or their names where they are there already */
  ops(op: string, inputs: readonly string[], outputs: number | readonly string[], attributes: Attributes = {}) {
    const { name } = this.#node
    const own = this.#nodes.length === 0 ? name : this.#view.fresh(`${name}/${op}`)
    const made =
      typeof outputs === 'number'
        ? Array.from({ length: outputs }, () => this.#view.fresh(`${name}/${op}`))
        : [...outputs]
    this.#nodes.push({ name: own, op, inputs, outputs: made, attributes })
    return made
  }

  /** A node of one output. */
  op(op: string, inputs: readonly string[], attributes: Attributes = {}, output?: string): string {
    return this.ops(op, inputs, output === undefined ? 1 : [output], attributes)[0]
  }

  integers(dtype: 'int32' | 'int64', values: readonly number[], dims = [values.length]): string {
    const name = this.#view.fresh(`${this.#node.name}/integers`)
    this.#constants[name] = new Tensor(dtype, dtype === 'int64' ? values.map(BigInt) : values, dims)
    return name
  }

  patch(): Patch {
    return { nodes: this.#nodes, constants: this.#constants }
  }
}

/** True when the value is there and something reads it. */
function isRead(view: View, value: string | undefined): boolean {
  return value !== undefined && value !== '' && (view.isOutput(value) || view.users(value).length > 0)
}

/** Widths of queries, keys and values. */
function widthsOf(weights: readonly Dim[] | undefined, given: unknown): readonly number[] | undefined {
  if (Array.isArray(given) && given.length === 3) return given as readonly number[]
  const widths = [0, 1, 2].map(() => (weights ? floorDiv(weights[1], 3) : undefined)) as readonly Dim[]
  return weights && areKnown(widths) ? widths : undefined
}

/** Attention. */
export const attention: Rule = {
  name: 'fused-attention',
  ops: ['com.microsoft.Attention'],
  match(node, view) {
    const [x, weights, bias = '', mask = '', past = '', added = ''] = node.inputs
    const [y, present] = node.outputs
    const { num_heads, scale, mask_filter_value, unidirectional, qkv_hidden_sizes } = view.attributes(node)
    const widths = widthsOf(view.dims(weights), qkv_hidden_sizes)
    if (widths === undefined) return undefined
    const s = new Spelling(node, view)
    const lengths = s.integers('int64', widths)
    const biases = bias === '' ? [] : s.ops('Split', [bias, lengths], 3, { axis: 0 })
    const parts = s.ops('Split', [weights, lengths], 3, { axis: 1 }).map((part, i) => {
      const product = s.op('MatMul', [x, part])
      return bias === '' ? product : s.op('Add', [product, biases[i]])
    })
    const axis = s.integers('int64', [0])
    const halves = past === '' ? [] : s.ops('Split', [past], 2, { axis: 0, num_outputs: 2 })
    const caches = halves.map((half) => s.op('Squeeze', [half, axis]))
    const inputs = [...parts, '', mask, added, ...caches]
    const attributes = { num_heads, scale, mask_filter_value, unidirectional } as Attributes
    const isAsked = isRead(view, present)
    const caching = isAsked ? [view.fresh(`${present}/key`), view.fresh(`${present}/value`)] : []
    s.ops('com.microsoft.MultiHeadAttention', inputs, [y, ...caching], attributes)
    if (isAsked) {
      const both = caching.map((value) => s.op('Unsqueeze', [value, axis]))
      s.op('Concat', both, { axis: 0 }, present)
    }
    return s.patch()
  },
}

/** EmbedLayerNormalization. */
export const embedding: Rule = {
  name: 'fused-embedding',
  ops: ['com.microsoft.EmbedLayerNormalization'],
  match(node, view) {
    const [ids, segments = '', words, places, kinds = '', gamma, beta, mask = '', given = ''] = node.inputs
    const [y, counts, sums] = node.outputs
    if (view.dims(ids)?.length !== 2) return undefined
    const s = new Spelling(node, view)
    const word = s.op('Gather', [words, ids])
    const length = (): string => s.op('Shape', [ids], { start: 1, end: 2 })
    const place =
      given === ''
        ? s.op('Slice', [places, s.integers('int64', [0]), length(), s.integers('int64', [0])])
        : s.op('Gather', [places, given])
    const segment = segments === '' ? undefined : s.op('Gather', [kinds, segments])
    const isAsked = isRead(view, sums)
    const both = s.op('Add', [word, place], {}, isAsked && segment === undefined ? sums : undefined)
    const sum = segment === undefined ? both : s.op('Add', [both, segment], {}, isAsked ? sums : undefined)
    const { epsilon } = view.attributes(node)
    s.op('LayerNormalization', [sum, gamma, beta], { axis: -1, epsilon } as Attributes, y)
    if (isRead(view, counts)) {
      if (mask === '') {
        const batch = s.op('Shape', [ids], { start: 0, end: 1 })
        s.op('Expand', [s.integers('int32', [0]), batch], {}, counts)
      } else {
        const isOpen = s.op('Equal', [mask, s.integers('int32', [1], [])])
        const open = s.op('Cast', [isOpen], { to: dtypes.int32.onnx } as Attributes)
        s.op('ReduceSum', [open, s.integers('int64', [1])], { keepdims: 0 }, counts)
      }
    }
    return s.patch()
  },
}

/** SkipLayerNormalization and SkipSimplifiedLayerNormalization: the sum may be done where its product is. */
export const skipNormalization: Rule = {
  name: 'fused-skip-normalization',
  ops: ['com.microsoft.SkipLayerNormalization', 'com.microsoft.SkipSimplifiedLayerNormalization'],
  match(node, view) {
    const isSimplified = node.op.endsWith('SkipSimplifiedLayerNormalization')
    const [x, skip, gamma] = node.inputs
    const [beta = '', bias = ''] = isSimplified ? ['', node.inputs[3]] : node.inputs.slice(3)
    const [y, mean, inverse, sum] = node.outputs
    if (isRead(view, mean) || isRead(view, inverse)) return undefined
    const s = new Spelling(node, view)
    const [own, other] = view.producer(skip, 'MatMul') && !view.producer(x, 'MatMul') ? [skip, x] : [x, skip]
    const biased = bias === '' ? own : s.op('Add', [own, bias])
    const all = s.op('Add', [biased, other], {}, isRead(view, sum) ? sum : undefined)
    const attributes = { axis: -1, epsilon: view.attributes(node).epsilon } as Attributes
    if (isSimplified) s.op('RMSNormalization', [all, gamma], attributes, y)
    else s.op('LayerNormalization', beta === '' ? [all, gamma] : [all, gamma, beta], attributes, y)
    return s.patch()
  },
}

/** BiasGelu, and FastGelu with its bias; Gelu is ONNX's own. */
export const biasGelu: Rule = {
  name: 'fused-bias-gelu',
  ops: ['com.microsoft.BiasGelu', 'com.microsoft.FastGelu', 'com.microsoft.Gelu'],
  match(node, view) {
    const [x, bias = ''] = node.inputs
    const isFast = node.op.endsWith('FastGelu')
    const s = new Spelling(node, view)
    const sum = bias === '' ? x : s.op('Add', [x, bias])
    s.op('Gelu', [sum], isFast ? { approximate: 'tanh' } : {}, node.outputs[0])
    return s.patch()
  },
}

/** Operators the rules write. */
export const written: readonly string[] = [
  ...['Add', 'Cast', 'Concat', 'Equal', 'Expand', 'Gather', 'LayerNormalization', 'MatMul', 'ReduceSum', 'Shape'],
  ...['Slice', 'Split', 'Squeeze', 'Unsqueeze', 'Gelu', 'RMSNormalization', 'com.microsoft.MultiHeadAttention'],
]
