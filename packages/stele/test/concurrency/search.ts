/**
 * Is there any serial order at all? Found by trying, without believing a version number.
 *
 * The committed transactions are put in every order that real time allows, each run at its own recorded time, until one
 * order explains every read by its values. Exponential in the number of transactions that overlap: for histories of a
 * dozen. (Wing and Gong 1993; the memory of visited sets is Lowe's, 2017.)
 */

import { type Answer, same } from '../model/answer.ts';
import { askReference } from '../model/ask.ts';
import { Reference, type ReferenceReader } from '../reference/reference.ts';
import { ReferenceTransaction } from '../reference/transaction.ts';
import { isWriter, type Recorded } from './history.ts';

/** Names in a legal serial order, or undefined when there is none. */
export function findSerialOrder(history: readonly Recorded[]): string[] | undefined {
  const committed = history.filter((txn) => txn.end.as === 'committed');
  if (committed.length > 30) throw new RangeError(`${committed.length} transactions are too many to search`);
  const reference = new Reference();
  const order: Recorded[] = [];
  const seen = new Set<string>();

  const place = (placed: number): boolean => {
    if (order.length === committed.length) return true;
    // The same set in another order may leave another state, so the state belongs to the memory.
    const memory = `${placed} ${stateOf(reference)}`;
    if (seen.has(memory)) return false;
    seen.add(memory);
    const waiting = committed.filter((_, index) => (placed & (1 << index)) === 0);
    for (const txn of waiting) {
      if (waiting.some((other) => other.ended < txn.began)) continue;
      const before = reference.version;
      if (!runs(txn, reference)) continue;
      order.push(txn);
      if (place(placed | (1 << committed.indexOf(txn)))) return true;
      order.pop();
      reference.cutBack(before);
    }
    return false;
  };
  return place(0) ? order.map((txn) => txn.name) : undefined;
}

/** Runs the transaction on the newest state; false, and nothing changed, when a read differs. */
function runs(txn: Recorded, reference: Reference): boolean {
  const timeMs = isWriter(txn) ? txn.end.timeMs : txn.timeMs;
  const run = new ReferenceTransaction(reference, { version: reference.version, timeMs }, txn.timeMs);
  for (const happening of txn.happenings) {
    if ('write' in happening) run.write(happening.write);
    else if (!same(bare(askReference(happening.read, run as ReferenceReader)), bare(happening.answer))) return false;
  }
  reference.commit(run.operations, timeMs);
  return true;
}

function stateOf(reference: Reference): string {
  return reference
    .keysIn({ start: '', end: undefined })
    .map((key) => {
      const effect = reference.effectAt(key, reference.version);
      return effect?.value === undefined ? '' : `${key}=${Buffer.from(effect.value).toString('hex')}@${effect.expiresAt ?? ''}`;
    })
    .join();
}

/** Without version numbers and ends: what remains is what an application sees. */
function bare(answer: Answer): Answer {
  if (Array.isArray(answer)) return answer.map(bare);
  if (typeof answer === 'object' && answer !== null && 'version' in answer) return { ...answer, version: 0, expiresAt: undefined };
  return answer;
}
