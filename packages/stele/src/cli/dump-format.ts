/**
 * A dump: the state, or the state and its history, as JSON lines that any program can read.
 *
 *   {"stele":"dump","format":1,"version":42,"history":false,"total":1204,…}     first
 *   {"policy":"sessions","declared":{"ttl":3600000}}               what is declared, by subtree, sorted
 *   {"path":"users/ada","value":…,"expiresAt":"…"}                 without history: every entry, in path order
 *   {"version":7,"time":"…","actor":"ada","ops":[…]}               with history: every commit, in order
 *   {"end":true,"entries":1204,"digest":"sha256:…"}                last: without it the dump was cut
 *
 * The digest is of the state and nothing else: SHA-256 over the lines of policies and entries as a dump without history has them. Two
 * databases with the same digest hold the same. `stele verify` tells it.
 *
 * Specification: docs/cli.md, "Dumps".
 */

import { createHash } from 'node:crypto';
import { publicDefinition, readDefinition } from '../model/index/definition.ts';
import { decodePath } from '../model/path/decode.ts';
import { formatPath, parsePath } from '../model/path/text.ts';
import { readCatalog } from '../model/policy/catalog.ts';
import type { IndexDefinition, Policy } from '../model/policy/types.ts';
import type { Store } from '../model/store.ts';
import type { Database, Reading, Segment } from '../model/types.ts';
import { timeText } from './shapes.ts';
import { toJson } from './value-json.ts';

export const DUMP_FORMAT = 1;

export interface DumpHead {
  readonly stele: 'dump';
  readonly format: number;
  readonly version: number;
  readonly time: string;
  readonly history: boolean;
  /** Entries, or commits, to come; may be missing, and of entries that expire meanwhile fewer come. */
  readonly total?: number;
  readonly prefix?: string;
}

export interface DumpEnd {
  readonly end: true;
  readonly entries: number;
  readonly digest: string;
  readonly commits?: number;
}

/** What is declared at one subtree, as `subtree(path, policy)` takes it. */
export interface DeclaredPolicy {
  readonly path: readonly Segment[];
  readonly policy: Policy;
}

/** Everything declared in the newest state, in path order. */
export function declaredPolicies(database: Database): DeclaredPolicy[] {
  const { engine, codec } = (database as unknown as { readonly store: Store }).store;
  const declared: DeclaredPolicy[] = [];
  for (const { prefix, declared: members, maintainers } of readCatalog(engine, codec).subtrees) {
    const indexes: Record<string, unknown> = {};
    for (const { kind, name, definition, state } of maintainers)
      if (kind === 'index' && state !== 'dropping') indexes[name] = publicDefinition(readDefinition(definition));
    const policy: Policy = {
      ...members,
      ...(Object.keys(indexes).length === 0 ? {} : { index: indexes as Record<string, IndexDefinition> }),
    };
    declared.push({ path: decodePath(prefix, 0, prefix.length), policy });
  }
  return declared.sort((a, b) => (formatPath(a.path) < formatPath(b.path) ? -1 : 1));
}

/** A time that never ends is no JSON number. */
const FOR_EVER = 'for ever';

export function policyLine({ path, policy: { ttl, history, durability, index } }: DeclaredPolicy): string {
  const period = (ms: number): number | string => (ms === Number.POSITIVE_INFINITY ? FOR_EVER : ms);
  return JSON.stringify({
    policy: formatPath(path),
    declared: {
      ...(ttl === undefined ? {} : { ttl: period(ttl) }),
      ...(history === undefined ? {} : { history: period(history) }),
      ...(durability === undefined ? {} : { durability }),
      ...(index === undefined ? {} : { index: indexesOut(index) }),
    },
  });
}

function indexesOut(indexes: NonNullable<Policy['index']>): object {
  return Object.fromEntries(
    Object.entries(indexes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, definition]) => {
        const { fields, unique = false } = definition as { fields: readonly Segment[][]; unique?: boolean };
        return [name, { fields: fields.map(formatPath), unique }];
      }),
  );
}

/** The reverse of what stands under `declared` in a {@link policyLine}. */
export function policyFrom(declared: Readonly<Record<string, unknown>>): Policy {
  const period = (name: string): Record<string, number> =>
    declared[name] === undefined ? {} : { [name]: declared[name] === FOR_EVER ? Number.POSITIVE_INFINITY : (declared[name] as number) };
  const indexes = declared['index'] as Record<string, { fields: string[]; unique: boolean }> | undefined;
  return {
    ...period('ttl'),
    ...period('history'),
    ...(declared['durability'] === undefined ? {} : { durability: declared['durability'] as NonNullable<Policy['durability']> }),
    ...(indexes === undefined
      ? {}
      : {
          index: Object.fromEntries(
            Object.entries(indexes).map(([name, { fields, unique }]) => [
              name,
              { fields: fields.map((field) => parsePath(field)), unique },
            ]),
          ),
        }),
  };
}

export function* entryLines(view: Reading, prefix: readonly Segment[]): Generator<string> {
  for (const { path } of view.scan({ prefix, values: false })) {
    const entry = view.entry(path);
    if (entry === undefined) continue; // it expired between the two reads
    yield JSON.stringify({
      path: formatPath(path),
      value: toJson(entry.value),
      ...(entry.expiresAt === undefined ? {} : { expiresAt: timeText(entry.expiresAt) }),
    });
  }
}

/** Sums lines up. */
export class Digest {
  readonly #hash = createHash('sha256');
  entries = 0;

  add(line: string): void {
    this.#hash.update(line).update('\n');
  }

  addEntry(line: string): void {
    this.add(line);
    this.entries++;
  }

  end(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}

const TURN_LINES = 500;

/** The digest of all that is in the database. `turn` lets signals in. */
export async function digestOf(database: Database, turn: (entries: number) => Promise<void>): Promise<{ entries: number; digest: string }> {
  using view = database.snapshot();
  const digest = new Digest();
  for (const policy of declaredPolicies(database)) digest.add(policyLine(policy));
  for (const line of entryLines(view, [])) {
    digest.addEntry(line);
    if (digest.entries % TURN_LINES === 0) await turn(digest.entries);
  }
  return { entries: digest.entries, digest: digest.end() };
}
