/** The suite of abstract-level in memory: each level is a database of its own. */

import { SteleLevel } from '../../src/abstract-level/index.ts';
import { memoryStorage } from '../../src/index.ts';
import { runSuite } from './suite.ts';

runSuite((options) => new SteleLevel({ ...options, storage: memoryStorage(), cacheMemory: 1 << 20 }));
