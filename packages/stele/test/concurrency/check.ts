/**
 * Is the history strictly serializable in the order of its versions?
 *
 * The engine says which version each commit became, so no order needs to be searched: the order of versions is the
 * claim, and it is verified. (search.ts finds an order without believing the versions, for small histories.)
 *
 * What must hold
 * - Versions are dense and times never decrease with them.
 * - Run one after the other in version order, each at its commit's time, all writers read what they read
 *   and change as many keys as they said. That covers lost updates, write skew, phantoms and expiry.
 * - Every transaction, committed or not, read the one view it claims: (version, time).
 * - Real time: who begins after a commit was known sees it; nobody sees a commit that was not asked for yet; of two commits, one
 *   over before the other was asked for, the first has the smaller version. Hybrid time does not fall either.
 * - Every conflict has a reason: without one it is not unsafe, but wrong.
 */

import { type Answer, same, show } from '../model/answer.ts';
import { askReference } from '../model/ask.ts';
import { printable } from '../model/program.ts';
import { keyText } from '../reference/keys.ts';
import { Reference, type ReferenceReader } from '../reference/reference.ts';
import { ReferenceTransaction } from '../reference/transaction.ts';
import { hasWrites, isWriter, type Recorded } from './history.ts';

/** The first thing that is wrong, in words; undefined when the history is fine. */
export function violationOf(history: readonly Recorded[]): string | undefined {
  const reference = new Reference();
  return (
    serialViolation(history, reference) ??
    viewViolation(history, reference) ??
    realTimeViolation(history) ??
    conflictViolation(history, reference)
  );
}

function serialViolation(history: readonly Recorded[], reference: Reference): string | undefined {
  const writers = history.filter(isWriter).sort((a, b) => a.end.version - b.end.version);
  for (const [index, txn] of writers.entries()) {
    const { version, timeMs, changed } = txn.end;
    if (version !== index + 1) return `${txn.name} became version ${version}, expected ${index + 1}`;
    if (timeMs < reference.timeOf(index))
      return `${txn.name}: version ${version} is recorded at ${timeMs}, the one before at ${reference.timeOf(index)}`;
    const rerun = new ReferenceTransaction(reference, { version: index, timeMs }, txn.timeMs);
    const wrong = readViolation(txn, rerun);
    if (wrong !== undefined) return `as version ${version} at ${timeMs}: ${wrong}`;
    const receipt = reference.commit(rerun.operations, timeMs);
    if (receipt.changed !== changed)
      return `${txn.name} said it changed ${changed} keys, as version ${version} it changes ${receipt.changed}`;
  }
  return undefined;
}

/** Replays the happenings; says where an answer differs. */
function readViolation(txn: Recorded, rerun: ReferenceTransaction): string | undefined {
  for (const happening of txn.happenings) {
    if ('write' in happening) rerun.write(happening.write);
    else {
      const answer = ownless(askReference(happening.read, rerun as ReferenceReader));
      if (!same(answer, ownless(happening.answer)))
        return `${txn.name} read ${printable(happening.read)} = ${show(happening.answer)}, expected ${show(answer)}`;
    }
  }
  return undefined;
}

function viewViolation(history: readonly Recorded[], reference: Reference): string | undefined {
  for (const txn of history) {
    const { version, timeMs, end } = txn;
    if (version > reference.version) return `${txn.name} reads version ${version}, which never was`;
    const wrong = readViolation(txn, new ReferenceTransaction(reference, { version, timeMs }));
    if (wrong !== undefined) return `in its view (${version}, ${timeMs}): ${wrong}`;
    if (end.as !== 'committed' || end.changed > 0) continue;
    if (!hasWrites(txn) && end.version !== version)
      return `${txn.name} wrote nothing and names version ${end.version} instead of its view's ${version}`;
    if (end.version > reference.version) return `${txn.name} names version ${end.version}, which never was`;
    const rerun = new ReferenceTransaction(reference, { version: end.version, timeMs });
    const late = readViolation(txn, rerun);
    if (late !== undefined) return `without effect at version ${end.version}: ${late}`;
    const last = new Map(rerun.operations.map((operation) => ['key' in operation ? keyText(operation.key) : '', operation.type]));
    if ([...last.values()].includes('put')) return `${txn.name} put something and says it changed nothing`;
  }
  return undefined;
}

function realTimeViolation(history: readonly Recorded[]): string | undefined {
  const askedAt = new Map(history.filter(isWriter).map((txn) => [txn.end.version, txn.ending]));
  const byEnd = [...history].sort((a, b) => a.ended - b.ended);
  for (const [when, what] of [
    ['began', 'version'],
    ['ending', 'end'],
  ] as const) {
    let known = 0;
    let knownMs = 0;
    let next = 0;
    for (const txn of [...history].sort((a, b) => a[when] - b[when])) {
      for (; next < byEnd.length && (byEnd[next] as Recorded).ended < txn[when]; next++) {
        const over = byEnd[next] as Recorded;
        if (isWriter(over)) known = Math.max(known, over.end.version);
        knownMs = Math.max(knownMs, over.timeMs, isWriter(over) ? over.end.timeMs : 0);
      }
      if (what === 'version') {
        if (txn.version < known) return `${txn.name} reads version ${txn.version}, though ${known} was known before it began`;
        if (txn.timeMs < knownMs) return `${txn.name} reads at time ${txn.timeMs}, though ${knownMs} was seen before it began`;
        const asked = askedAt.get(txn.version) ?? 0;
        if (asked > txn.began) return `${txn.name} reads version ${txn.version}, which was asked for later`;
      } else if (isWriter(txn) && txn.end.version <= known) {
        return `${txn.name} became version ${txn.end.version}, though ${known} was known before it was asked for`;
      }
    }
  }
  return undefined;
}

function conflictViolation(history: readonly Recorded[], reference: Reference): string | undefined {
  for (const txn of history) {
    if (txn.end.as !== 'conflict') continue;
    const rerun = new ReferenceTransaction(reference, { version: txn.version, timeMs: txn.timeMs });
    readViolation(txn, rerun);
    if (rerun.conflict(txn.clockMs, txn.newest) === undefined) return `${txn.name} was refused with a conflict that has no reason`;
  }
  return undefined;
}

/** An own write's provisional end depends on when it is asked for: left out. */
function ownless(answer: Answer): Answer {
  if (Array.isArray(answer)) return answer.map(ownless);
  if (typeof answer === 'object' && answer !== null && 'expiresAt' in answer && answer.version === 0)
    return { ...answer, expiresAt: undefined };
  return answer;
}
