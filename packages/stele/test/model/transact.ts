/**
 * `engine.transact` beside the reference: the work runs inside the engine's own retry loop, a rival commits in the
 * middle of the first try, and the number of tries must be exactly what the conflict rules give.
 */

import type { Operation, Transaction } from '../../src/txn/types.ts';
import { ReferenceTransaction } from '../reference/transaction.ts';
import { Divergence, expectSame, outcomeOf } from './answer.ts';
import { compareRead } from './ask.ts';
import type { Step } from './program.ts';
import type { ModelRun } from './run.ts';

/** The same writes to both transactions. Conditions do not exist there. */
export function writeTo(txn: Transaction, reference: ReferenceTransaction, operations: readonly Operation[]): void {
  for (const operation of operations) {
    if (operation.type === 'check') continue;
    reference.write(operation);
    if (operation.type === 'deleteRange') txn.deleteRange(operation.start, operation.end);
    else if (operation.type === 'delete') txn.delete(operation.key);
    else {
      const { expiresAt, ttlMs } = operation;
      txn.put(operation.key, operation.value, {
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(ttlMs === undefined ? {} : { ttlMs }),
      });
    }
  }
}

export async function runTransact(run: ModelRun, step: Extract<Step, { step: 'transact' }>): Promise<void> {
  let reference: ReferenceTransaction | undefined;
  let tries = 0;
  const outcome = await outcomeOf('transact', () =>
    run.engine.transact(async (txn) => {
      if (reference !== undefined && reference.conflict(run.now()) === undefined)
        throw new Divergence('transact runs again', 'no conflict', `try ${tries + 1}`);
      const moment = run.moment();
      expectSame('transact: [version, time]', [moment.version, moment.timeMs], [txn.version, txn.timeMs]);
      reference = new ReferenceTransaction(run.reference, moment);
      tries++;
      for (const read of step.reads) {
        run.operations++;
        await compareRead(`${read.ask} in transact`, read, txn, reference);
      }
      if (tries === 1) {
        if (step.rival.length > 0) await rival(run, step);
        run.target.clock.ms += step.waitMs;
      }
      await Promise.resolve();
      writeTo(txn, reference, run.operationsOf(step.writes));
      return tries;
    }),
  );
  if (outcome.error !== undefined || reference === undefined) throw new Divergence('transact', 'an end', outcome.error);
  expectSame('transact: what the work returned', tries, outcome.value);
  const last = run.expected(() => (reference as ReferenceTransaction).commit(run.now()));
  if (last.error !== undefined) throw new Divergence('transact committed', last.error, `try ${tries}`);
}

async function rival(run: ModelRun, step: Extract<Step, { step: 'transact' }>): Promise<void> {
  const operations = run.operationsOf(step.rival);
  const expected = run.expected(() => run.reference.commit(operations, run.now()));
  const found = await outcomeOf('rival', () => run.engine.batch(operations));
  run.compareReceipt('rival', expected, found);
}
