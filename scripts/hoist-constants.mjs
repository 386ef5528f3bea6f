// SPDX-License-Identifier: Apache-2.0
/**
 * Takes vector constants out of loops: each becomes a local that is set before the outermost loop around it.
 *
 * V8 makes a vector constant anew wherever it stands, by three instructions, and moves nothing out of loops; the
 * optimiser of the compiler puts constants back to where they are used. A polynomial of a dozen coefficients ran at half
 * its speed for that. So this is the last step of a build, on the text form, in which an instruction is a line.
 * Zero stays where it is: every engine makes it by one instruction without an input.
 */

/** Instructions that open what an `end` closes. */
const opening = new Set(['block', 'loop', 'if', 'try_table'])
const zero = /^v128\.const i32x4( 0x0{8}){4}$/

/** The outermost loop of each line of a body, as the line it begins at; -1 outside of loops. */
function outermostLoops(body) {
  let depth = 0
  let loop = -1
  let loopDepth = -1
  return body.map((line, i) => {
    const [word] = line.trim().split(' ')
    if (word === 'loop' && loop < 0) {
      loop = i
      loopDepth = depth
    }
    const within = loop
    if (opening.has(word)) depth++
    if (word === 'end' && --depth === loopDepth) {
      loop = -1
      loopDepth = -1
    }
    return within
  })
}

/** One function's lines between its head and its closing parenthesis. */
function hoistInBody(body) {
  const loops = outermostLoops(body)
  const names = new Map()
  const before = new Map()
  const moved = body.map((line, i) => {
    const text = line.trim()
    if (loops[i] < 0 || !text.startsWith('v128.const ') || zero.test(text)) return line
    const key = `${loops[i]} ${text}`
    if (!names.has(key)) {
      names.set(key, `$constant${names.size}`)
      before.set(loops[i], [...(before.get(loops[i]) ?? []), text, `local.set ${names.get(key)}`])
    }
    return `local.get ${names.get(key)}`
  })
  const isLocal = (line) => line.trim().startsWith('(local ')
  const locals = moved.filter(isLocal)
  const rest = moved.flatMap((line, i) => (isLocal(line) ? [] : [...(before.get(i) ?? []), line]))
  return [...locals, ...[...names.values()].map((name) => `(local ${name} v128)`), ...rest]
}

/**
 * @param {string} text a module as asc writes it: one instruction a line, functions indented by one space
 * @returns {string}
 */
export function hoistConstants(text) {
  const lines = text.split('\n')
  const result = []
  for (let i = 0; i < lines.length; i++) {
    result.push(lines[i])
    if (!lines[i].startsWith(' (func ')) continue
    const end = lines.indexOf(' )', i)
    result.push(...hoistInBody(lines.slice(i + 1, end)))
    i = end - 1
  }
  return result.join('\n')
}
