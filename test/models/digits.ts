// SPDX-License-Identifier: Apache-2.0
/** The MNIST CNN: 10,000 test images, top-1. */
import { type Session, Tensor } from '../../src/index.ts'
import { dataPath, readGzip } from './data.ts'
import { worst } from './statistics.ts'
import { type Task, evenly, points } from './task.ts'

/** Header bytes of the IDX files (yann.lecun.com/exdb/mnist), and of the .npy file. */
const imagesHeader = 16
const labelsHeader = 8
const pixels = 28 * 28
const classes = 10

/** The i-th test image as the model takes it: values 0 to 255. */
export function digitImage(images: Uint8Array, i: number): Tensor {
  const start = imagesHeader + i * pixels
  return new Tensor('float32', Float32Array.from(images.subarray(start, start + pixels)), [1, 1, 28, 28])
}

/** The IDX file of the test images. */
export function digitImages(): Uint8Array {
  return readGzip('models/mnist/t10k-images-idx3-ubyte.gz')
}

async function score(session: Session, part: number) {
  const images = digitImages()
  const labels = readGzip('models/mnist/t10k-labels-idx1-ubyte.gz').subarray(labelsHeader)
  const logits = readGzip('models/mnist/reference-logits.npy.gz')
  const header = 10 + logits[8] + 256 * logits[9]
  const expected = new Float32Array(Uint8Array.from(logits.subarray(header)).buffer)
  const chosen = evenly([...labels.keys()], part)
  let hits = 0
  let error = 0
  for (const i of chosen) {
    const { [session.outputs[0].name]: output } = await session.run({ [session.inputs[0].name]: digitImage(images, i) })
    const scores = output.data as Float32Array
    if (scores.indexOf(Math.max(...scores)) === labels[i]) hits++
    error = Math.max(error, worst(scores, expected.subarray(i * classes, (i + 1) * classes)))
  }
  return { points: { 'top-1': points(hits, chosen.length) }, error }
}

export const digits: Task = {
  name: 'MNIST CNN',
  data: 'models/mnist',
  model: () => dataPath('models/mnist/opt-mnist.onnx'),
  baseline: { 'top-1': 98.91 },
  quick: 0.2,
  score,
}
