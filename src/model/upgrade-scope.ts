// SPDX-License-Identifier: Apache-2.0
/**
 * What a rewrite of an old operator works with: fresh names, new constants, and what is known of values before any
 * inference has run (see partial-shapes.ts). One scope per graph; names are unique over the whole model, because
 * subgraphs see the names around them.
 */
import type { AttributeValue, Attributes, Constant, Node } from '../ir/graph.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type PartialShape, alikeOutputs, partialShapes } from './partial-shapes.ts'

/** Names in use over the whole model. */
export class Names {
  readonly #used = new Set<string>()

  /** Marks a name as used. */
  add(name: string): void {
    this.#used.add(name)
  }

  /** `wanted`, or `wanted_1`, `wanted_2` … when it is used; marked as used. */
  fresh(wanted: string): string {
    let name = wanted
    for (let i = 1; this.#used.has(name); i++) name = `${wanted}_${i}`
    this.#used.add(name)
    return name
  }
}

/** A graph under construction, as rewrites see it. */
export class UpgradeScope {
  readonly constants = new Map<string, Constant>()
  /** No value of the model can be a float of another type: constants for float inputs may be float32. */
  readonly onlyFloat32: boolean
  readonly #outer: UpgradeScope | null
  readonly #values: Names
  readonly #nodes: Names
  readonly #shapes = new Map<string, PartialShape>()

  constructor(outer: UpgradeScope | null, values: Names, onlyFloat32: boolean) {
    this.#outer = outer
    this.#values = values
    this.#nodes = new Names()
    this.onlyFloat32 = onlyFloat32
  }

  /** A value name nothing else has. */
  value(wanted: string): string {
    return this.#values.fresh(wanted)
  }

  /** A node name nothing else in this graph has. */
  nodeName(wanted: string): string {
    return this.#nodes.fresh(wanted)
  }

  /** Adds a constant. @returns its name */
  constant(wanted: string, tensor: Tensor): string {
    const name = this.value(wanted)
    this.constants.set(name, { dtype: tensor.type, dims: tensor.dims, tensor })
    return name
  }

  /** Adds an int64 vector (a scalar where `dims` is []). @returns its name */
  ints(wanted: string, values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.constant(wanted, new Tensor('int64', values.map(toInt64), dims))
  }

  /** The constant called `name`, in this graph or around it. */
  tensorOf(name: string): Tensor | undefined {
    return this.constants.get(name)?.tensor ?? this.#outer?.tensorOf(name)
  }

  /** What is known of the shape of a value. */
  shapeOf(name: string): PartialShape | undefined {
    return this.#shapes.get(name) ?? this.constants.get(name)?.dims ?? this.#outer?.shapeOf(name)
  }

  /** The rank of a value, where known. */
  rankOf(name: string): number | undefined {
    return this.shapeOf(name)?.length
  }

  /** Records what is known of a value's shape. */
  learn(name: string, shape: PartialShape | null | undefined): void {
    if (shape && name !== '') this.#shapes.set(name, shape)
  }

  /** Records what is known of a finished node's outputs. */
  learnFrom(node: Node): void {
    const row = Object.hasOwn(partialShapes, node.op) ? partialShapes[node.op] : undefined
    const shape = row?.(node, {
      shape: (i) => this.shapeOf(node.inputs[i] ?? ''),
      numbers: (i) => {
        const tensor = this.tensorOf(node.inputs[i] ?? '')
        return tensor && tensor.type.startsWith('int') ? Array.from(tensor.data as BigInt64Array, Number) : undefined
      },
    })
    for (const name of alikeOutputs.has(node.op) ? node.outputs : node.outputs.slice(0, 1)) this.learn(name, shape)
  }

  /** A node derived from `origin`, with one output of a fresh name. */
  derive(origin: Node, op: string, inputs: readonly string[], attributes: Attributes = {}): Node {
    const name = this.nodeName(`${origin.name}/${op}`)
    return { name, op, inputs, outputs: [this.value(`${name}_output`)], attributes }
  }
}

/** An int64 nearest to a number; numbers beyond its range stand for its ends. */
function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return 2n ** 63n - 1n
  return value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(value)
}

/** The attribute as a number, or `fallback` where it is left out. */
export function numberOf(attributes: Attributes, name: string, fallback: number): number {
  const value = attributes[name]
  return typeof value === 'number' ? value : fallback
}

/** The attribute as a list of numbers, or undefined where it is left out. */
export function numbersOf(attributes: Attributes, name: string): readonly number[] | undefined {
  const value = attributes[name]
  return Array.isArray(value) && value.every((v): v is number => typeof v === 'number') ? value : undefined
}

/** The node with attributes taken away and others set. */
export function withAttributes(
  node: Node,
  drop: readonly string[],
  set: Readonly<Record<string, AttributeValue>> = {},
): Node {
  const kept = Object.entries(node.attributes).filter(([name]) => !drop.includes(name))
  return { ...node, attributes: { ...Object.fromEntries(kept), ...set } }
}
