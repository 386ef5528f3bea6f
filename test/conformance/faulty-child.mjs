// SPDX-License-Identifier: Apache-2.0
/** A child of CaseRunner that does what it is told, crashing and hanging too. */
process.on('message', (request) => {
  if (request === 'crash') process.exit(3)
  if (request === 'hang') for (;;);
  process.send({ result: 'passed', request })
})
process.send('ready')
