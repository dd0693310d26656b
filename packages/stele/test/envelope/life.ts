/**
 * Everything a database does in its life, in small: what the envelope tests run wherever an engine may have to live.
 * It uses no capability of its own beyond what it is given.
 */

import type { Engine, EngineOptions } from '../../src/txn/types.ts';

/** What a life amounted to. */
export interface Life {
  readonly version: number;
  readonly entries: number;
  readonly before: string;
  readonly after: string;
  readonly history: number;
  readonly verified: boolean;
  readonly reopened: string;
}

function bytes(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) out[at] = text.charCodeAt(at);
  return out;
}

function text(found: Uint8Array | undefined): string {
  return found === undefined ? '' : String.fromCharCode(...found);
}

const key = (n: number): Uint8Array => bytes(`\x02key/${String(n).padStart(5, '0')}`);

/** Writes, reads, looks back, flushes, verifies, closes, reopens. `wait` lets time pass where it does not by itself. */
export async function live(
  open: (options: Partial<EngineOptions>) => Promise<Engine>,
  wait: <T>(work: Promise<T>) => Promise<T> = (work) => work,
): Promise<Life> {
  const options = { cacheMemory: 2 * 1024 * 1024, segmentBytes: 256 * 1024 };
  let engine = await wait(open(options));
  const first = await wait(engine.put(key(1), bytes('before')));
  for (let n = 0; n < 40; n++)
    await wait(
      engine.batch(
        Array.from({ length: 50 }, (_, at) => ({ type: 'put', key: key(n * 50 + at), value: bytes(`value ${n}`) })),
        { durability: 'async' },
      ),
    );
  await wait(engine.put(key(1), bytes('after')));
  await wait(engine.put(key(9999), new Uint8Array(100_000).fill(7)));
  await wait(engine.put(key(8888), bytes('short'), { ttlMs: 1 }));
  await wait(engine.delete(key(2)));
  await wait(engine.transact((txn) => void txn.put(key(3), bytes(text(txn.get(key(3))) + '!'))));
  await wait(engine.flush());
  const view = engine.asOf(first.version);
  const before = text(view.get(key(1)));
  view.close();
  const { ok } = await wait(engine.verify());
  const history = [...engine.history(key(1))].length;
  await wait(engine.close());
  engine = await wait(open(options));
  const life: Life = {
    version: engine.version,
    entries: engine.count({ end: key(8000) }),
    before,
    after: text(engine.get(key(1))),
    history,
    verified: ok,
    reopened: text(engine.get(key(3))),
  };
  await wait(engine.close());
  return life;
}

/** What every life must have been. */
export const EXPECTED: Life = {
  version: 46,
  entries: 1999,
  before: 'before',
  after: 'after',
  history: 3,
  verified: true,
  reopened: 'value 0!',
};
