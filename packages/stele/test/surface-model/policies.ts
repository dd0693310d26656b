/** Declaring, policies as they are seen, and lookups, beside the reference. */

import { isDeepStrictEqual } from 'node:util';
import type { Policy } from '../../src/model/policy/types.ts';
import type { Bucket, IndexKey, Subtree, Value } from '../../src/model/types.ts';
import { compareKeys } from '../policies/naive.ts';
import { judge } from './ask.ts';
import type { Definition, Wanted } from './catalog.ts';
import { Divergence, expectOutcome, expectSame, foundLater, foundOf } from './divergence.ts';
import { indexRows, isField } from './indexed.ts';
import type { Zone } from './kept.ts';
import { below, segments } from './paths.ts';
import { INDEXES, msOf, type PolicyText, type Step, VALUES } from './program.ts';
import type { RefView } from './reference.ts';
import { expectedOf, Refusal } from './refusal.ts';
import type { SurfaceRun } from './run.ts';
import type { Sight } from './sight.ts';

function definitionOf(place: number): Definition {
  const { fields, unique } = INDEXES[place]!;
  return { fields: fields.map(segments), unique };
}

function wantedOf({ ttl, history, durability, index = {} }: PolicyText): Wanted {
  return {
    policy: {
      ...(ttl === undefined ? {} : { ttl: msOf(ttl) }),
      ...(history === undefined ? {} : { history: msOf(history) }),
      ...(durability === undefined ? {} : { durability }),
    },
    indexes: Object.fromEntries(Object.entries(index).map(([name, place]) => [name, definitionOf(place)])),
  };
}

function policyFrom(text: PolicyText): Policy {
  const { policy } = wantedOf(text);
  if (text.index === undefined) return policy;
  const given = Object.entries(text.index).map(([name, place]) => {
    const { fields, unique } = INDEXES[place]!;
    return [name, unique ? { fields, unique } : fields] as const;
  });
  return { ...policy, index: Object.fromEntries(given) };
}

export async function declare(run: SurfaceRun, step: Extract<Step, { step: 'declare' }>): Promise<void> {
  const { reference } = run;
  const path = segments(step.path);
  const before = reference.version;
  const wanted = wantedOf(step.policy);
  const nowMs = run.now();
  const isFilled = reference.view({ version: before, timeMs: nowMs }).leaves(below(path)).length > 0;
  const expected = expectedOf(() => reference.declare(path, wanted, step.as === undefined ? {} : { actor: step.as }, nowMs));
  const handle: Bucket = step.as === undefined ? run.db : run.db.as({ actor: step.as });
  const found = foundOf('declare', () => handle.subtree(step.path, policyFrom(step.policy)));
  expectOutcome('declare', expected, found);
  expectSame('declare: version', reference.version, run.db.version);
  run.life.acknowledged(reference.version, run.life.durability === 'immediate' ? 'device' : 'kernel');
  if (expected.code !== undefined) run.reach(`declaration refused ${expected.code}`);
  else if (reference.version === before) run.reach('a declaration that holds already');
  else if (reference.version > before + 1) run.reach(isFilled ? 'an index built or dropped over data' : 'an index dropped without data');
  if (reference.catalog.at(path).indexes.some(({ built }) => built > 2000)) run.reach('an index built in several steps');
  comparePolicy(run, 'policy behind a declaration', reference.catalog.policy(path), run.db.subtree(step.path).policy);
}

function comparePolicy(_run: SurfaceRun, what: string, expected: Policy, found: Policy): void {
  if (!isDeepStrictEqual(expected, found)) throw new Divergence(what, expected, found);
}

export async function rebuild(run: SurfaceRun, { path, name }: Extract<Step, { step: 'rebuild' }>): Promise<void> {
  const place = segments(path);
  const nowMs = run.now();
  const rows = (): number => {
    const index = run.reference.catalog.at(place).indexes.find((one) => one.name === name && one.state === 'ready');
    const view = run.reference.view({ version: run.reference.version, timeMs: nowMs });
    return index === undefined ? 0 : indexRows(view, place, index).length;
  };
  const expected = expectedOf(() => {
    run.reference.rebuild(place, name, nowMs);
    return rows();
  });
  const found = await foundLater('rebuildIndex', () => run.drive(run.db.subtree(path).rebuildIndex(name)));
  const both = expectOutcome('rebuildIndex', expected, found);
  if (both === undefined) return;
  run.life.acknowledged(run.reference.version, run.life.durability === 'immediate' ? 'device' : 'kernel');
  if (both.found.entries < both.expected) throw new Divergence('rebuildIndex: entries', `at least ${both.expected}`, both.found.entries);
  run.reach('an index rebuilt');
}

export async function policyOf(run: SurfaceRun, { of, path }: Extract<Step, { step: 'policy' }>): Promise<void> {
  const { reference } = run;
  if (of === 'now') return comparePolicy(run, 'policy', reference.catalog.policy(segments(path)), run.db.subtree(path).policy);
  const open = run.slots.views.get(of.view);
  if (open === undefined || open.skips) return;
  const found = foundOf('policy of a view', () => open.view.subtree(path).policy);
  const expected = reference.commits[open.ref.at.version]!.catalog.policy(segments(path));
  if (found.error !== undefined) {
    if (found.error.code === 'HISTORY_EXPIRED' && open.ref.mayRefuse(['catalog'])) return;
    throw new Divergence('policy of a view', expected, found.error);
  }
  comparePolicy(run, 'policy of a view', expected, found.value);
  if (!isDeepStrictEqual(expected, reference.catalog.policy(segments(path)))) run.reach('a policy as it was');
}

export async function lookup(run: SurfaceRun, step: Extract<Step, { step: 'lookup' }>): Promise<void> {
  if (typeof step.of === 'object' && 'txn' in step.of) return lookupOwn(run, step, step.of.txn);
  const { reference } = run;
  const open = step.of === 'now' ? undefined : run.slots.views.get(step.of.view);
  if (open?.skips === true) return;
  const view: RefView = open?.ref ?? reference.view({ version: reference.version, timeMs: run.now() });
  const place = segments(step.path);
  const zones: Zone[] = ['catalog', ...reference.kept.zonesOf(below(place))];
  const expected = expectedOf(() => rowsOf(run, view, step, (id) => zones.push({ index: id })));
  if (expected.code !== undefined) run.reach(`lookup refused ${expected.code}`);
  const what = `lookup ${open === undefined ? 'now' : 'of a view'}`;
  const found = foundOf(what, () => asked(open === undefined ? run.db.subtree(step.path) : open.view.subtree(step.path), step));
  const how = judge(what, expected, found, () => view.mayRefuse(zones));
  if (how === 'refused') return run.reach('a lookup of what is not kept');
  if (found.error !== undefined || found.value.length === 0) return;
  run.reach('a lookup with rows');
  const isOld = open !== undefined && !isDeepStrictEqual(reference.catalog, reference.commits[view.at.version]!.catalog);
  if (isOld) run.reach('a lookup by the declarations of then');
}

/** In a transaction: own writes are seen, and what was looked at joins the read set. */
function lookupOwn(run: SurfaceRun, step: Extract<Step, { step: 'lookup' }>, slot: number): void {
  const open = run.slots.transactions.get(slot);
  // What was declared since is regarded by its writes and not by its view: it can only conflict.
  if (open === undefined || run.reference.catalog !== run.reference.commits[open.ref.at.version]!.catalog) return;
  const place = segments(step.path);
  const expected = expectedOf(() => open.ref.look(place, (sight) => rowsOf(run, sight, step, () => {})));
  const found = foundOf('lookup in a transaction', () => asked(open.tx.subtree(step.path), step));
  judge('lookup in a transaction', expected, found, () => false);
  if (found.error === undefined && found.value.length > 0) run.reach('a lookup in a transaction');
}

function asked(handle: Pick<Subtree, 'lookup'>, { name, key }: Extract<Step, { step: 'lookup' }>): unknown[] {
  const rows = handle.lookup<Value>(name, ...(key.map((at) => VALUES[at]!) as IndexKey)).toArray();
  // A record without a value of its own has no version of its own.
  return rows.map((row) => (row.value === undefined ? { ...row, version: undefined } : row));
}

/** @throws {Refusal} INDEX_MISSING, INDEX_NOT_READY, INDEX_KEY_INVALID */
function rowsOf(
  run: SurfaceRun,
  sight: Sight,
  { path, name, key }: Extract<Step, { step: 'lookup' }>,
  serves: (id: number) => void,
): unknown[] {
  const place = segments(path);
  const values = key.map((at) => VALUES[at]!);
  const { catalog } = run.reference.commits[sight.at.version]!;
  const living = catalog.at(place).indexes.filter((one) => one.name === name && one.state !== 'dropping');
  const index = living.find(({ state }) => state === 'ready');
  if (index === undefined) throw new Refusal(living.length === 0 ? 'INDEX_MISSING' : 'INDEX_NOT_READY');
  if (values.length > index.fields.length || !values.every(isField)) throw new Refusal('INDEX_KEY_INVALID');
  serves(index.id);
  return indexRows(sight, place, index)
    .filter((row) => compareKeys(row.key.slice(0, values.length), values) === 0)
    .map(({ id }) => {
      const leaf = sight.leaf([...place, id]);
      return { path: [id], value: leaf?.value, version: leaf?.version };
    });
}
