#!/usr/bin/env node
/**
 * The `stele` command: looks whether this Node can run it, and hands over to the build.
 *
 * Plain CommonJS that an old Node can parse, and under version control with its executable bit, so that npm finds it before anything is built.
 * A plain `get` is answered by one small file instead of the whole command: docs/decisions/0020-quick-get.md.
 */

'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');

const dist = join(__dirname, '..', 'dist');
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const words = process.argv.slice(2);

if (major < 22 || (major === 22 && minor < 13)) refuse(`it needs Node 22.13 or later, this is ${process.versions.node}`);
else if (!existsSync(join(dist, 'quick.cjs'))) refuse('it is not built yet: npm ci, or npm run build');
else run();

function run() {
  require('node:module').enableCompileCache();
  const exitCode = words.includes('get') ? require('../dist/quick.cjs').quickGet(words, process.env) : undefined;
  if (exitCode !== undefined) process.exitCode = exitCode;
  else import('../dist/src/cli/main.js').then(({ main }) => main(words));
}

function refuse(why) {
  process.stderr.write(`stele: ${why}\n`);
  process.exitCode = 2;
}
