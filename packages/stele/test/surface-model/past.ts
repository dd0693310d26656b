/**
 * The past beside the reference: histories, differences, the stream of changes and those who watch it.
 *
 * Specification: spec/transactions.md, "History and changes"; docs/api.md, "Time".
 */

import type { Change, HistoryEntry, Segment } from '../../src/model/types.ts';
import { mayRefuse, without } from './ask.ts';
import { Divergence, expectSame, foundLater, foundOf } from './divergence.ts';
import { below, comparePoints, isWithin, nameOf, segments } from './paths.ts';
import type { Step } from './program.ts';
import type { HistoryLine } from './reference.ts';
import type { SurfaceRun } from './run.ts';
import { same } from './same.ts';

/** Operations in one change. */
const PART = 4096;

interface Watcher {
  readonly handle: Disposable;
  readonly from: number;
  readonly at: string;
  readonly prefix: string;
  readonly seen: Change[];
  readonly by: 'call' | 'stream';
}

export class Past {
  readonly #run: SurfaceRun;
  readonly #watchers = new Map<number, Watcher>();
  /** The last version each stream was told. */
  readonly #told = new Map<number, number>();

  constructor(run: SurfaceRun) {
    this.#run = run;
  }

  async step(step: Step): Promise<void> {
    switch (step.step) {
      case 'history':
        return this.#history(step);
      case 'diff':
        return this.#diff(step);
      case 'changes':
        return this.#changes(step);
      case 'watch':
        return this.#watch(step);
      case 'unwatch':
        await this.checkWatchers();
        this.#watchers.get(step.slot)?.handle[Symbol.dispose]();
        this.#watchers.delete(step.slot);
    }
  }

  /** The database is closed, or gone: then commits may be too. */
  clear(version: number): void {
    this.#watchers.clear();
    for (const [slot, told] of this.#told) if (told > version) this.#told.set(slot, version);
  }

  // ---- history

  /** Newest first; where it ends is for the database to choose below what is promised. */
  #history({ of, at, path, limit = Infinity }: Extract<Step, { step: 'history' }>): void {
    const { reference, db } = this.#run;
    const open = of === 'now' ? undefined : this.#run.slots.views.get(of.view);
    const place = [...segments(at), ...segments(path)];
    if (place.length === 0) return;
    const all = reference.history(place, this.#run.now());
    const promised = reference.historyPromised(place, all);
    const isSeen = (line: HistoryLine): boolean =>
      open === undefined || (line.version <= open.ref.at.version && !(line.expired && line.timeMs > open.ref.at.timeMs));
    const truth = all.filter(isSeen).slice(0, limit);
    const least = Math.min(all.slice(0, promised).filter(isSeen).length, limit);
    const what = `history${open === undefined ? '' : ' of a view'}`;
    const handle = open === undefined ? db : open.view;
    const found = foundOf(what, () =>
      (at === '' ? handle : handle.subtree(at)).history(path, limit === Infinity ? {} : { limit }).toArray(),
    );
    if (found.error !== undefined) throw new Divergence(what, truth, found.error);
    if (found.value.length < least || found.value.length > truth.length)
      throw new Divergence(`${what}: lines, ${least} promised`, truth.map(lineOf), found.value.map(plain));
    const droppable = reference.kept.logDroppableThrough(reference.instant());
    for (const [index, line] of found.value.entries()) {
      const expected = lineOf(truth[index]!);
      // The value was carried on, who wrote it was not.
      const isForgotten = line.version <= droppable && line.actor === undefined && line.reason === undefined;
      expectSame(`${what}: line ${index}`, isForgotten ? { ...expected, actor: undefined, reason: undefined } : expected, plain(line));
    }
    if (found.value.length < truth.length) this.#run.reach('a history that ends where it is not kept');
    if (found.value.some(({ expired }) => expired)) this.#run.reach('an end by expiry in a history');
  }

  // ---- differences

  #diff({ from, to, at, prefix }: Extract<Step, { step: 'diff' }>): void {
    const { reference, slots } = this.#run;
    const [before, after] = [slots.views.get(from), slots.views.get(to)];
    if (before === undefined || after === undefined || before.skips || after.skips) return;
    const place = segments(at);
    const found = foundOf('diff', () => {
      const view = at === '' ? before.view : before.view.subtree(at);
      return view.diff(after.view, prefix === undefined ? {} : { prefix }).toArray();
    });
    const read = { ask: 'scan', ...(prefix === undefined ? {} : { prefix }) } as const;
    if (found.error !== undefined) {
      const mayBe = [before, after].some(({ ref }) => mayRefuse({ kept: reference.kept, of: ref }, place, read));
      if (found.error.code === 'HISTORY_EXPIRED' && mayBe) return this.#run.reach('a diff of what is not kept');
      throw new Divergence('diff', 'differences', found.error);
    }
    const stretch = below([...place, ...segments(prefix ?? '')]);
    const old = before.ref.leaves(stretch);
    const now = after.ref.leaves(stretch);
    const paths = new Map([...old, ...now].map(({ path }) => [nameOf(path), path]));
    const expected = [...paths.values()]
      .sort(comparePoints)
      .map((path) => ({ path, was: before.ref.leaf(path), is: after.ref.leaf(path) }))
      .filter(({ was, is }) => was === undefined || is === undefined || (was.version !== is.version && !same(was.value, is.value)));
    const told = found.value;
    expectSame(
      'diff: [path, before, after]',
      expected.map(({ path, was, is }) => [path.slice(place.length), was?.value, is?.value]),
      told.map((row) => [row.path, row.before, row.after]),
    );
    for (const [index, { path, was, is }] of expected.entries()) {
      const { version } = told[index]!;
      const first = is?.version ?? reference.effectAt(path, after.ref.at.version)?.version ?? was!.version;
      // What ended it may be forgotten: then it is told by the version of what was there.
      const isKept = is !== undefined || this.#isPromised(path, first);
      if (version !== first && (isKept || version !== was!.version)) throw new Divergence('diff: version', first, version);
    }
    if (told.length > 0) this.#run.reach('a diff with rows');
  }

  /** Is the line of that version one that a history must have? */
  #isPromised(path: readonly Segment[], version: number): boolean {
    const { reference } = this.#run;
    const lines = reference.history(path, this.#run.now());
    return lines.slice(0, reference.historyPromised(path, lines)).some((line) => line.version === version);
  }

  // ---- changes

  async #changes({ slot, at, prefix, back, take }: Extract<Step, { step: 'changes' }>): Promise<void> {
    const { reference, db, drive } = this.#run;
    await drive(db.sync());
    const from = back === undefined ? (this.#told.get(slot) ?? 0) : Math.max(0, reference.version - back);
    const expected = this.#expected(from, at, prefix);
    const stream = this.#run.at(at).changes({ from, prefix });
    const told: Change[] = [];
    while (told.length < Math.min(take, expected.length)) {
      const found = await foundLater('changes', () => drive(stream.next()));
      if (found.error !== undefined) {
        if (found.error.code === 'HISTORY_EXPIRED' && told.length === 0 && this.#isDroppable(from))
          return this.#run.reach('changes not kept');
        throw new Divergence('changes', expected[told.length], found.error);
      }
      if (found.value.done === true) throw new Divergence('changes: ended', expected[told.length], 'the end');
      this.#compareChange('changes', expected[told.length]!, found.value.value);
      told.push(found.value.value);
    }
    if (told.length === expected.length) await this.#expectQuiet(stream, from);
    await drive(Promise.resolve(stream.return?.()));
    const last = told.findLast((change) => change.more !== true);
    this.#told.set(slot, last?.version ?? from);
    if (told.some(({ more }) => more === true)) this.#run.reach('a commit told in parts');
    if (told.length > 0) this.#run.reach(back === undefined ? 'changes gone on with' : 'changes from a version');
  }

  #isDroppable(from: number): boolean {
    return from < this.#run.reference.kept.logDroppableThrough(this.#run.reference.instant());
  }

  async #expectQuiet(stream: AsyncIterator<Change>, from: number): Promise<void> {
    let next: unknown;
    stream.next().then(
      (step) => {
        next = step.done === true ? undefined : step.value;
      },
      (error: unknown) => {
        next = error;
      },
    );
    await this.#run.machine.runUntilIdle();
    const isExpired = (next as { code?: string } | undefined)?.code === 'HISTORY_EXPIRED' && this.#isDroppable(from);
    if (next !== undefined && !isExpired) throw new Divergence('changes: nothing more', 'nothing', next);
  }

  /** What is told below a prefix of all commits behind `from`. */
  #expected(from: number, at: string, prefix: string): Change[] {
    const { commits } = this.#run.reference;
    const place = segments(at);
    const whole = [...place, ...segments(prefix)];
    const changes: Change[] = [];
    for (let version = from + 1; version < commits.length; version++) {
      const { effects, timeMs, assertedMs, actor, reason } = commits[version]!;
      const ops = effects
        .filter(({ path }) => isWithin(path, whole))
        .map(({ path, value, expiresAt, previousVersion }) => ({
          type: value === undefined ? ('delete' as const) : ('put' as const),
          path: path.slice(place.length),
          value,
          expiresAt: expiresAt === 0 ? undefined : new Date(expiresAt),
          previousVersion,
        }));
      const head = {
        version,
        time: new Date(timeMs),
        assertedTime: assertedMs === undefined ? undefined : new Date(assertedMs),
        actor,
        reason,
      };
      for (let first = 0; first < ops.length; first += PART) {
        const part = ops.slice(first, first + PART);
        changes.push(first + PART < ops.length ? { ...head, ops: part, more: true } : { ...head, ops: part });
      }
    }
    return changes;
  }

  #compareChange(what: string, expected: Change, found: Change): void {
    const { reference } = this.#run;
    const ops = expected.ops.map((op, index) => {
      // The way back may be forgotten, where something was ever let go.
      const isForgotten =
        found.ops[index]?.previousVersion === 0 && reference.kept.logDroppableThrough(reference.instant()) + this.#horizon() > 0;
      return isForgotten ? { ...op, previousVersion: 0 } : op;
    });
    expectSame(`${what}: head`, without(expected, 'ops'), without(found, 'ops'));
    expectSame(`${what}: operations`, ops, found.ops);
  }

  #horizon(): number {
    const { kept } = this.#run.reference;
    return kept.horizonOf(kept.zonesOf(below([])), this.#run.reference.instant()).version;
  }

  // ---- watchers

  #watch({ slot, at, prefix, by }: Extract<Step, { step: 'watch' }>): void {
    this.#watchers.get(slot)?.handle[Symbol.dispose]();
    const seen: Change[] = [];
    const bucket = this.#run.at(at);
    const from = this.#run.reference.version;
    const handle = by === 'call' ? bucket.watch(prefix, (change) => seen.push(change)) : streamed(bucket.changes({ from, prefix }), seen);
    this.#watchers.set(slot, { handle, from, at, prefix, seen, by });
  }

  /** Each was told everything, once and in order. */
  async checkWatchers(): Promise<void> {
    if (this.#watchers.size === 0) return;
    await this.#run.drive(this.#run.db.sync());
    await this.#run.machine.runUntilIdle();
    this.compareWatched();
  }

  compareWatched(): void {
    for (const { from, at, prefix, seen, by } of this.#watchers.values()) {
      const expected = this.#expected(from, at, prefix);
      if (seen.length !== expected.length)
        throw new Divergence(
          `watch by ${by}: commits`,
          expected.map(({ version }) => version),
          seen.map(({ version }) => version),
        );
      for (const [index, change] of expected.entries()) this.#compareChange(`watch by ${by}`, change, seen[index]!);
      if (seen.length > 0) this.#run.reach(`a watcher was told by ${by}`);
    }
  }
}

function lineOf({ value, version, timeMs, expired, actor, reason }: HistoryLine): object {
  return { value, version, time: new Date(timeMs), expired, actor: expired ? undefined : actor, reason: expired ? undefined : reason };
}

function plain({ value, version, time, expired, actor, reason }: HistoryEntry): unknown {
  return { value, version, time, expired, actor, reason };
}

/** Takes from the stream whatever comes, until it is disposed or ends. */
function streamed(stream: AsyncIterableIterator<Change>, seen: Change[]): Disposable {
  const take = async (): Promise<void> => {
    for await (const change of stream) seen.push(change);
  };
  take().catch((error: unknown) => seen.push(error as never));
  return { [Symbol.dispose]: () => void stream.return?.() };
}
