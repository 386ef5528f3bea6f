// SPDX-License-Identifier: Apache-2.0
/**
 * The convenient way to make a graph from code: values are handed on by name, types are inferred as nodes are added
 * (so a mistake is reported where it is made), and names that are not given are made up.
 */
import { GraphError } from '../base/errors.ts'
import type { Dtype } from '../tensor/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Dim } from './dim.ts'
import type { Attributes, Constant, Graph, GraphValue, Node, ValueInfo } from './graph.ts'
import { inferNode, infoOfConstant } from './infer.ts'
import type { OpSet } from './op-set.ts'

export interface NodeOptions {
  readonly attributes?: Attributes
  /** The node's name; its first output's where left out. */
  readonly name?: string
  /** Names of the outputs; one, made up from the operator, where left out. */
  readonly outputs?: readonly string[]
}

/** Builds one graph. Every method that makes values returns their names. */
export class GraphBuilder {
  private readonly opSet: OpSet
  private readonly name: string
  private readonly opset: number
  private readonly inputs: GraphValue[] = []
  private readonly outputs: GraphValue[] = []
  private readonly constants = new Map<string, Constant>()
  private readonly nodes: Node[] = []
  private readonly infos = new Map<string, ValueInfo>()

  /** @param opset version of ONNX's own domain the nodes are written for */
  constructor(opSet: OpSet, name = 'main', opset = 21) {
    this.opSet = opSet
    this.name = name
    this.opset = opset
  }

  input(name: string, dtype: Dtype, dims: readonly Dim[] | null): string {
    this.inputs.push({ name: this.free(name), dtype, dims })
    this.infos.set(name, { dtype, dims })
    return name
  }

  constant(tensor: Tensor, name = this.fresh('constant')): string {
    const constant = { dtype: tensor.type, dims: tensor.dims, tensor }
    this.constants.set(this.free(name), constant)
    this.infos.set(name, infoOfConstant(constant))
    return name
  }

  /** Adds a node of one output and returns that. @throws GraphError, UnsupportedError as inference does */
  node(op: string, inputs: readonly string[], options: NodeOptions = {}): string {
    return this.nodeOf(op, inputs, options)[0]
  }

  /** Adds a node and returns its outputs. */
  nodeOf(op: string, inputs: readonly string[], options: NodeOptions = {}): readonly string[] {
    const outputs = options.outputs ?? [this.fresh(op)]
    const node: Node = { name: options.name ?? outputs[0], op, inputs, outputs, attributes: options.attributes ?? {} }
    const found = inferNode(node, this.opset, this.opSet, (name) => this.infos.get(name))
    outputs.forEach((name, i) => name !== '' && this.infos.set(this.free(name), found[i]))
    this.nodes.push(node)
    return outputs
  }

  /** Declares a value a graph output, with the type inferred. */
  output(name: string): void {
    const { dtype, dims } = this.info(name)
    this.outputs.push({ name, dtype, dims })
  }

  /** What is known of a value. @throws GraphError when there is none of this name */
  info(name: string): ValueInfo {
    const info = this.infos.get(name)
    if (info === undefined)
      throw new GraphError({
        where: `graph "${this.name}"`,
        expected: 'the name of a value made before',
        got: `'${name}'`,
      })
    return info
  }

  build(): Graph {
    const { name, opset } = this
    return {
      name,
      opset,
      inputs: [...this.inputs],
      outputs: [...this.outputs],
      constants: new Map(this.constants),
      nodes: [...this.nodes],
    }
  }

  private fresh(base: string): string {
    let i = this.infos.size
    while (this.infos.has(`${base}.${i}`)) i++
    return `${base}.${i}`
  }

  private free(name: string): string {
    if (!this.infos.has(name)) return name
    throw new GraphError({ where: `graph "${this.name}"`, expected: 'a new name', got: `'${name}' again` })
  }
}
