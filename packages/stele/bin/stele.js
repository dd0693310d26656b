#!/usr/bin/env node
/**
 * The `stele` command: looks whether this Node can run it, and hands over to the build.
 *
 * Plain JavaScript that an old Node can parse, and under version control with its executable bit, so that npm finds it before anything is built.
 */

const { existsSync } = await import('node:fs');
const { fileURLToPath } = await import('node:url');

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const built = new URL('../dist/src/cli/main.js', import.meta.url);

if (major < 22 || (major === 22 && minor < 13)) {
  process.stderr.write(`stele: it needs Node 22.13 or later, this is ${process.versions.node}\n`);
  process.exitCode = 2;
} else if (!existsSync(fileURLToPath(built))) {
  process.stderr.write('stele: it is not built yet: npm ci, or npm run build\n');
  process.exitCode = 2;
} else {
  const { enableCompileCache } = await import('node:module');
  enableCompileCache();
  const { main } = await import(built.href);
  await main(process.argv.slice(2));
}
