/**
 * The import table of ARCHITECTURE.md, enforced on the real imports. The table is the single place where it is written.
 */

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { importsOf, listFiles, readText, root, shippedSources } from './repository.ts';

const sourceRoot = 'packages/stele/src/';

const manifest = JSON.parse(readText('packages/stele/package.json')) as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
/** What a program brings along when it wants an adapter; only the folder of the same name may import it (docs/decisions/0019-abstract-level.md). */
const optionalPeers: ReadonlySet<string> = new Set(['abstract-level']);

/** Folder → folders it may import. `*` stands for all. Rows: | `folder` | `a` `b` | words |. */
function readTable(): Map<string, Set<string>> {
  const text = readText('ARCHITECTURE.md');
  const section = text.slice(text.indexOf('<!-- import table: begin -->'), text.indexOf('<!-- import table: end -->'));
  const table = new Map<string, Set<string>>();
  for (const match of section.matchAll(/^\| `(?<folder>[\w.-]+)\/?` \| (?<allowed>[^|]*)\|/gm)) {
    const allowed = [...match.groups!['allowed']!.matchAll(/`([\w*-]+)`/g)].map((name) => name[1]!);
    table.set(match.groups!['folder']!, new Set(allowed));
  }
  return table;
}

/** The unit an import is judged by: the folder, and below layers/ the layer. `index.ts` and other files at the top count as themselves. */
function unitOf(path: string): { folder: string; unit: string } {
  const parts = path.slice(sourceRoot.length).split('/');
  const folder = parts[0]!;
  return { folder, unit: folder === 'layers' && parts.length > 2 ? `layers/${parts[1]}` : folder };
}

/** Why the import is wrong, or undefined. */
function judge(table: ReadonlyMap<string, ReadonlySet<string>>, from: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return undefined; // ambient.test.ts
  if (!specifier.startsWith('.')) {
    if (unitOf(from).folder === specifier && optionalPeers.has(specifier)) return undefined;
    return `imports the package ${specifier}: the database has no dependencies`;
  }
  if (!specifier.endsWith('.ts')) return `imports ${specifier} without .ts`;
  const target = posix.join(posix.dirname(from), specifier);
  if (!target.startsWith(sourceRoot)) return `imports ${target} outside of src`;
  const source = unitOf(from);
  const goal = unitOf(target);
  if (source.unit === goal.unit) return undefined;
  const allowed = table.get(source.folder);
  if (allowed === undefined) return `${source.folder} has no row in the import table`;
  if (source.folder === goal.folder) return `${source.unit} imports its sibling ${goal.unit}`;
  if (allowed.has('*') || allowed.has(goal.folder)) return undefined;
  return `${source.folder} may not import ${goal.folder} (${specifier})`;
}

test('every import in packages/stele/src points where the table allows', () => {
  const table = readTable();
  const found: string[] = [];
  for (const path of shippedSources()) {
    for (const { specifier } of importsOf(readText(path))) {
      const why = judge(table, path, specifier);
      if (why !== undefined) found.push(`${path}: ${why}`);
    }
  }
  assert.deepEqual(found, []);
});

test('every relative import names a file that exists', () => {
  for (const path of listFiles('packages').filter((path) => path.endsWith('.ts'))) {
    for (const { specifier } of importsOf(readText(path))) {
      if (!specifier.startsWith('.')) continue;
      const target = posix.join(posix.dirname(path), specifier);
      assert.ok(existsSync(join(root, target)), `${path} imports ${specifier}`);
      assert.equal(target.split('/')[1], path.split('/')[1], `${path} reaches into another package by path: ${specifier}`);
    }
  }
});

test('every folder of src has a row, and the table has no cycle', () => {
  const table = readTable();
  assert.ok(table.size >= 10, 'the import table was not found in ARCHITECTURE.md');
  for (const entry of readdirSync(join(root, sourceRoot), { withFileTypes: true })) {
    if (entry.isDirectory()) assert.ok(table.has(entry.name), `src/${entry.name} has no row in the import table`);
    else assert.ok(table.has(entry.name), `src/${entry.name}: only doors with a row of their own stand beside the folders`);
  }
  const settled = new Set<string>();
  const settle = (folder: string, path: readonly string[]): void => {
    assert.ok(!path.includes(folder), `cycle in the import table: ${[...path, folder].join(' → ')}`);
    if (settled.has(folder)) return;
    for (const below of table.get(folder) ?? []) if (below !== '*') settle(below, [...path, folder]);
    settled.add(folder);
  };
  for (const folder of table.keys()) settle(folder, []);
});

test('the check itself finds an upward import, a sibling layer and a package', () => {
  const table = readTable();
  assert.match(judge(table, 'packages/stele/src/base/x.ts', '../tree/y.ts') ?? '', /base may not import tree/);
  assert.match(judge(table, 'packages/stele/src/tree/x.ts', '../log/y.ts') ?? '', /tree may not import log/);
  assert.match(judge(table, 'packages/stele/src/log/x.ts', '../tree/y.ts') ?? '', /log may not import tree/);
  assert.match(judge(table, 'packages/stele/src/layers/sql/x.ts', '../graph/y.ts') ?? '', /sibling/);
  assert.match(judge(table, 'packages/stele/src/verify/x.ts', '../base/y.ts') ?? '', /verify may not import base/);
  assert.match(judge(table, 'packages/stele/src/txn/x.ts', 'lodash') ?? '', /no dependencies/);
  assert.match(judge(table, 'packages/stele/src/model/x.ts', 'abstract-level') ?? '', /no dependencies/);
  assert.match(judge(table, 'packages/stele/src/abstract-level/x.ts', 'lodash') ?? '', /no dependencies/);
  assert.match(judge(table, 'packages/stele/src/model/x.ts', '../abstract-level/y.ts') ?? '', /model may not import abstract-level/);
  assert.equal(judge(table, 'packages/stele/src/abstract-level/x.ts', 'abstract-level'), undefined);
  assert.equal(judge(table, 'packages/stele/src/txn/x.ts', '../tree/y.ts'), undefined);
});

test('the package of the database has no runtime dependencies', () => {
  for (const kind of ['dependencies', 'optionalDependencies', 'bundledDependencies']) {
    assert.deepEqual(Object.keys(manifest[kind] ?? {}), [], kind);
  }
});

test('what adapters adapt to is an optional peer, installed by nobody who does not ask for it', () => {
  assert.deepEqual(new Set(Object.keys(manifest['peerDependencies'] ?? {})), optionalPeers);
  const optional = Object.fromEntries([...optionalPeers].map((name) => [name, { optional: true }]));
  assert.deepEqual(manifest['peerDependenciesMeta'], optional);
});

test('nothing the main doors load reaches an adapter', () => {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { specifier } of importsOf(readText(path))) if (specifier.startsWith('.')) visit(posix.join(posix.dirname(path), specifier));
  };
  visit(`${sourceRoot}index.ts`);
  visit(`${sourceRoot}kernel.ts`);
  const adapters = [...seen].filter((path) => optionalPeers.has(unitOf(path).folder));
  assert.ok(seen.size > 50);
  assert.deepEqual(adapters, []);
});
