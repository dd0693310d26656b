/** Some lives of the log under power cuts and kills; more: `npm run rack -- log`. */

import { test } from 'node:test';
import { lives } from '../../test/log/lives.ts';

test('no durable commit is lost and nothing unwritten appears over many power cuts, also during recovery', () => {
  for (let seed = 1; seed <= 20; seed++) lives(seed, 'power', seed % 2 === 0 ? 'barrier' : 'writeThrough');
});

test('what was handed to the kernel survives a killed process', () => {
  for (let seed = 1; seed <= 10; seed++) lives(seed, 'kill', seed % 2 === 0 ? 'barrier' : 'writeThrough');
});
