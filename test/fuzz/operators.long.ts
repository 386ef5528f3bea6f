// SPDX-License-Identifier: Apache-2.0
/** All variants of every operator: `npm run fuzz:operators`. */
import { testOperators } from './operators.ts'

testOperators(1)
