// SPDX-License-Identifier: Apache-2.0
/** A seeded sample of the variants of every operator; all of them are tried by `npm run fuzz:operators`. */
import { testOperators } from './operators.ts'

testOperators(0.15)
