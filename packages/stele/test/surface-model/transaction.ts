/**
 * A transaction of the surface reference: a sight, own writes over it, and what it read.
 *
 * Whether it conflicts is decided from two sides. It *must* when one of its reads, asked again at the commit, has another answer, or when something was
 * declared since its first write: it would not be serializable. It *may* when anything it or an index looked at was touched at all. Between the
 * two the database decides; which of them exactly is the kernel's promise, and test/model holds it to that.
 *
 * Specification: spec/transactions.md, "Serializability"; spec/policies.md, "Which policy holds".
 */

import type { Segment, Value } from '../../src/model/types.ts';
import { answer, type Read, stretchesOf } from './answers.ts';
import type { Catalog } from './catalog.ts';
import { checkUnique } from './indexed.ts';
import { below, FIRST, type Stretch } from './paths.ts';
import type { CommitAs, Receipt, Reference } from './reference.ts';
import { expectedOf, Refusal } from './refusal.ts';
import { same } from './same.ts';
import { type Moment, Overlay, type Sight, type Written } from './sight.ts';
import { Applied, incremented, type RefWrite, receiptOf, stamped } from './writes.ts';

interface Looked {
  readonly stretches: readonly Stretch[];
  /** Asked again of another state, with the writes there were then. */
  readonly ask: ((sight: Sight) => unknown) | undefined;
  readonly own: readonly (readonly [string, Written])[];
  readonly answer: unknown;
}

/** How a commit may end: codes that may be given, and whether it may succeed. */
export interface Verdict {
  readonly codes: readonly string[];
  readonly maySucceed: boolean;
}

export class RefTransaction {
  readonly sight: Overlay;
  readonly at: Moment;
  readonly as: CommitAs;
  readonly #reference: Reference;
  readonly #applied: Applied;
  readonly #looked: Looked[] = [];
  readonly #stamps: Extract<RefWrite, { type: 'put' }>[] = [];
  /** What was declared when it first wrote. */
  #declared: Catalog | undefined;
  /** It looked something up: what is declared joined what it read. */
  #looksAtCatalog = false;
  /** A write was refused by an index: nothing of it may be committed. */
  #poison: string | undefined;

  constructor(reference: Reference, at: Moment, as: CommitAs) {
    this.#reference = reference;
    this.at = at;
    this.as = as;
    this.sight = new Overlay(reference.view(at));
    this.#applied = new Applied(this.sight, reference.catalog, false);
  }

  get hasWrites(): boolean {
    return this.sight.own.size > 0 || this.#stamps.length > 0 || this.as.once !== undefined;
  }

  // ---- reading

  read(at: readonly Segment[], read: Read): unknown {
    if (read.ask === 'peek') return answer(this.sight, at, read);
    const bounds = expectedOf(() => stretchesOf(at, read));
    const stretches = 'value' in bounds ? bounds.value : [];
    return this.#look(stretches, (sight) => answer(sight, at, read));
  }

  /** Something else that was asked below a path. */
  look(path: readonly Segment[], ask: (sight: Sight) => unknown): unknown {
    this.#looksAtCatalog = true;
    return this.#look([below(path)], ask);
  }

  #look(stretches: readonly Stretch[], ask: (sight: Sight) => unknown): unknown {
    const own = [...this.sight.own];
    const outcome = expectedOf(() => ask(this.sight));
    this.#looked.push({ stretches, ask: (sight) => expectedOf(() => ask(sight)), own, answer: outcome });
    if ('value' in outcome) return outcome.value;
    throw new Refusal(outcome.code as string);
  }

  // ---- writing

  /** @throws {Refusal} VERSION_MISMATCH, INCREMENT_TYPE, INDEX_KEY_TOO_LONG */
  write(one: RefWrite): Value | undefined {
    if (one.type === 'check') return undefined;
    const { ifVersion } = one as { ifVersion?: number };
    if (ifVersion !== undefined) {
      const leaf = this.#lookAt(one.path);
      if ((leaf?.version ?? 0) !== ifVersion || leaf?.version === 0) throw new Refusal('VERSION_MISMATCH');
    }
    if (one.type === 'put' && one.stamp === true) {
      this.#stamps.push(one);
      return undefined;
    }
    if (one.type === 'increment') {
      this.#lookAt(one.path);
      const put = incremented(this.sight, one);
      this.#apply(put);
      return put.value;
    }
    if (one.type === 'deleteTree' || (one.type === 'putTree' && !one.merge))
      this.#look([below(one.path)], (sight) => sight.leaves(below(one.path)).map(({ path }) => path));
    this.#apply(one);
    return undefined;
  }

  #lookAt(path: readonly Segment[]): { version: number; value: Value } | undefined {
    return this.#look([{ start: path, end: [...path, FIRST] }], (sight) => {
      const leaf = sight.leaf(path);
      return leaf && { version: leaf.version, value: leaf.value };
    }) as { version: number; value: Value } | undefined;
  }

  #apply(one: RefWrite): void {
    const { catalog } = this.#reference;
    const told = this.#applied.told.length;
    this.#declared ??= catalog;
    try {
      this.#applied.catalog = catalog;
      this.#applied.write(one);
    } catch (error) {
      if (error instanceof Refusal) this.#poison ??= error.code;
      throw error;
    } finally {
      const stretches = this.#applied.told
        .slice(told)
        .flatMap((path) =>
          catalog.indexesAbove(path).map(({ place, index }) => below(index.unique ? place : path.slice(0, place.length + 1))),
        );
      if (one.type === 'deleteTree' || one.type === 'putTree') stretches.push(below(one.path));
      this.#looked.push({ stretches, ask: undefined, own: [], answer: undefined });
    }
  }

  // ---- ending

  /** What may come of a commit at this time. The stamps are written now. */
  verdict(nowMs: number): Verdict {
    if (this.#poison !== undefined) return { codes: [this.#poison], maySucceed: false };
    const { catalog, version } = this.#reference;
    for (const [index, stamp] of this.#stamps.entries()) this.#apply({ ...stamp, path: stamped(stamp.path, version + 1, index) });
    const isNewer =
      (this.#declared !== undefined && this.#declared !== catalog) ||
      (this.#looksAtCatalog && catalog !== this.#reference.commits[this.at.version]!.catalog);
    const unique = expectedOf(() => checkUnique(this.sight, catalog, this.#applied.told));
    if ('code' in unique && unique.code !== undefined)
      return { codes: isNewer ? [unique.code, 'CONFLICT'] : [unique.code], maySucceed: false };
    if (!this.hasWrites) return { codes: [], maySucceed: true };
    if (isNewer) return { codes: ['CONFLICT', 'INDEX_UNIQUE'], maySucceed: false };
    const newest = this.#reference.view({ version, timeMs: nowMs });
    const isOther = this.#looked.some(
      ({ ask, own, answer: before }) => ask !== undefined && !same(ask(new Overlay(newest, own, this.at.timeMs)), before),
    );
    if (isOther || this.#isOnceTaken()) return { codes: ['CONFLICT'], maySucceed: false };
    const isTouched = this.#looked.some(({ stretches }) => stretches.some((one) => this.#reference.isTouched(one, this.at, nowMs)));
    return { codes: isTouched ? ['CONFLICT'] : [], maySucceed: true };
  }

  #isOnceTaken(): boolean {
    return (this.#reference.first(this.as.once)?.version ?? 0) > this.at.version;
  }

  /** @throws never: the verdict said that it may succeed */
  commit(nowMs: number, result?: Value): Receipt {
    if (!this.hasWrites) {
      const { version } = this.at;
      return { version, timeMs: this.#reference.timeOf(version), changed: 0, isExact: true, level: undefined };
    }
    const version = this.#reference.commit(this.sight.own.values(), { ...this.as, result }, nowMs);
    return receiptOf(this.#reference, version, this.#applied);
  }
}
