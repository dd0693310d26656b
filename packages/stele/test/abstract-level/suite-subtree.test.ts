/** The suite of abstract-level below subtrees: all levels share one database, which is open from the first test to the last. */

import { after } from 'node:test';
import { SteleLevel } from '../../src/abstract-level/index.ts';
import { memoryStorage, openSync } from '../../src/index.ts';
import { runSuite } from './suite.ts';

const db = openSync({ storage: memoryStorage() });
after(() => db.close());
let count = 0;

runSuite((options) => new SteleLevel({ ...options, subtree: db.subtree(['levels', count++]) }));
