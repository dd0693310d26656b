/**
 * What ships, by entry point: minified and gzipped, as a bundler would make it (docs/decisions/0018-size.md).
 *
 * `start` is what is loaded with the entry: everything it imports statically. `whole` adds what is brought in when it is first asked for.
 * `open` is a program that imports nothing but `open`. The ceilings are the sizes measured when they were last decided, and 5 %:
 * growing past one is a decision. Sizes are those of the pinned esbuild.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { readText, root } from './repository.ts';

const source = 'packages/stele/src/';

/** Bytes, gzipped, measured on the day of the decision. */
const decided: Readonly<Record<string, { readonly start: number; readonly whole: number }>> = {
  open: { start: 122_985, whole: 146_477 },
  stele: { start: 132_145, whole: 155_677 },
  'stele/kernel': { start: 108_417, whole: 108_417 },
  'stele/abstract-level': { start: 127_508, whole: 150_604 },
};

/** `open` and the entry points of the package. */
const programs: Readonly<Record<string, string>> = { open: "export { open } from './index.ts';", ...entryPoints() };

function entryPoints(): Record<string, string> {
  const { exports } = JSON.parse(readText('packages/stele/package.json')) as { exports: Record<string, { default: string }> };
  const entries = Object.entries(exports).map(([name, { default: file }]) => {
    const module = file.replace('./dist/src/', './').replace(/\.js$/, '.ts');
    return [`stele${name.slice(1)}`, `export * from '${module}';`] as const;
  });
  return Object.fromEntries(entries);
}

const GROWTH_MAX = 1.05;

/** What is imported when it is needed stays outside. */
const late: Plugin = {
  name: 'late',
  setup(building) {
    building.onResolve({ filter: /./ }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : undefined));
  },
};

async function bundle(program: string, plugins: Plugin[]): Promise<{ bytes: number; files: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: program, resolveDir: join(root, source), loader: 'ts' },
    bundle: true,
    minify: true,
    metafile: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    external: ['abstract-level'],
    logLevel: 'silent',
    absWorkingDir: root,
    plugins,
  });
  const [output] = Object.values(metafile.outputs);
  const files = Object.entries(output!.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { bytes: gzipSync(outputFiles[0]!.contents, { level: 9 }).length, files: files.map(([path]) => path) };
}

for (const [name, program] of Object.entries(programs)) {
  test(`${name} is as small as was decided`, async () => {
    const size = decided[name];
    assert.ok(size !== undefined, `${name} has no ceiling: docs/decisions/0018-size.md`);
    const measured = { start: (await bundle(program, [late])).bytes, whole: (await bundle(program, [])).bytes };
    for (const part of ['start', 'whole'] as const) {
      const ceiling = Math.floor(size[part] * GROWTH_MAX);
      assert.ok(measured[part] <= ceiling, `${name}, ${part}: ${measured[part]} bytes, at most ${ceiling}`);
      // A ceiling far above what is there holds nothing.
      assert.ok(measured[part] >= size[part] * 0.9, `${name}, ${part}: ${measured[part]} bytes; write the smaller size down`);
    }
  });
}

test('nothing that only tests need is in what ships', async () => {
  for (const [name, program] of Object.entries(programs)) {
    const { files } = await bundle(program, []);
    const wrong = files.filter((path) => /\/faulty\/|\.test\.|\/test\/|\/bench\//.test(path));
    assert.deepEqual(name === 'stele/kernel' ? wrong.filter((path) => !path.includes('/faulty/')) : wrong, [], name);
  }
});

test('repair, backup, verification, compaction and single files are brought in when they are asked for', async () => {
  const { files } = await bundle(programs['open']!, [late]);
  const isRare = /\/txn\/(?:repair|backup|audit|compact|relocate|verify)[\w-]*\.ts$|\/node\/tar\.ts$|\/index\/verify\.ts$/;
  assert.deepEqual(
    files.filter((path) => isRare.test(path)),
    [],
  );
  const { files: all } = await bundle(programs['open']!, []);
  assert.ok(all.filter((path) => isRare.test(path)).length > 10);
});
