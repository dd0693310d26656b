/** The suite of abstract-level on a directory for each level; in a file system in memory where the machine has one, since most of the time is syncs. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { SteleLevel } from '../../src/abstract-level/index.ts';
import { runSuite } from './suite.ts';

const inMemory = '/dev/shm';
const parent = mkdtempSync(join(existsSync(inMemory) ? inMemory : tmpdir(), 'stele-level-'));
after(() => rmSync(parent, { recursive: true, force: true }));
let count = 0;

runSuite((options) => new SteleLevel(join(parent, String(count++)), { ...options, cacheMemory: 1 << 20 }));
