/**
 * Reader retry: a reading thread whose segment file turns into another segment's under its hands.
 *
 * The file of a segment that was let go is used again. A thread that knew it reads records of another place there, each of them
 * whole; only the checksum, which knows the place, tells. It must look everything up anew before it says `corrupt`
 * (spec/invariants.md rule 16), and must not look for ever. Here the machine's disk shows the thread such a file, once or lastingly.
 */

import assert from 'node:assert/strict';
import { SteleError } from '../../src/base/errors.ts';
import type { Host } from '../../src/host/host.ts';
import type { StorageFile } from '../../src/host/storage.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import { attachEngine } from '../../src/txn/threads/attach.ts';
import { keyBytes } from '../reference/keys.ts';
import { newMachine, optionsOf, type Setup } from './machine.ts';
import type { Places } from './places.ts';

/** Reads of foreign bytes still to come. */
interface Haunting {
  left: number;
  /** Reads that were given foreign bytes. */
  shown: number;
}

export async function runReaderRetry(setup: Setup, places: Places): Promise<void> {
  const machine = newMachine({ ...setup, historyMs: Infinity });
  const engine = openEngineSync(optionsOf({ ...setup, historyMs: Infinity }, machine, false));
  const key = (text: string): Uint8Array => keyBytes(`\x02${text}`);
  const old = (text: string): Uint8Array => new Uint8Array(text === 'large' ? 80_000 : 700).fill(text.length);
  const names = ['a', 'bc', 'large'];
  for (const name of names) engine.putSync(key(name), old(name), { durability: 'async' });
  const haunting: Haunting = { left: 0, shown: 0 };
  const reader = attachEngine(engine.share(), { host: haunted(machine, machine.storage, haunting) });
  const view = reader.snapshot();
  for (let i = 0; i < 300; i++) engine.putSync(key(names[i % 3]!), new Uint8Array(900).fill(i), { durability: 'async' });
  await machine.drive(engine.flush());
  for (const name of names) {
    assert.deepEqual(view.get(key(name)), old(name), 'with nothing wrong');
    const before = reader.counters.refreshes;
    haunting.left = 1;
    assert.deepEqual(view.get(key(name)), old(name), `${name}: a foreign record once`);
    assert.ok(haunting.left === 0 && haunting.shown > 0, 'it was read');
    assert.ok(reader.counters.refreshes > before, 'everything was looked up anew');
    places.reach('reader retry', reader.counters.refreshes - before);

    haunting.left = Number.POSITIVE_INFINITY;
    haunting.shown = 0;
    assert.throws(
      () => view.get(key(name)),
      (error) => error instanceof SteleError && error.kind === 'corrupt' && error.detail['segment'] !== undefined,
      `${name}: a foreign record that stays`,
    );
    assert.ok(haunting.shown >= 2, 'not before it was looked up anew');
    haunting.left = 0;
    assert.deepEqual(view.get(key(name)), old(name), 'and when it is well again, so is the reader');
  }
  view.close();
  reader.close();
  await machine.drive(engine.close());
}

/** A host whose segments show the records of the segment behind them, as often as `haunting` says. */
function haunted(host: Host, storage: Host['storage'], haunting: Haunting): Host {
  const isSegment = (name: string): boolean => name.startsWith('log-');
  const wrap = (file: StorageFile): StorageFile => ({
    name: file.name,
    read: (target, start, length, position) => {
      // The header is read when the file is opened, and is its own again by then.
      if (haunting.left === 0 || position < 256) return file.read(target, start, length, position);
      haunting.left--;
      haunting.shown++;
      const foreign = storage.list().findLast((name) => isSegment(name) && name !== file.name)!;
      return storage.open(foreign, { readOnly: true }).read(target, start, length, position);
    },
    readAsync: (target, start, length, position) => file.readAsync(target, start, length, position),
    write: () => assert.fail('a reader writes'),
    sync: () => assert.fail('a reader syncs'),
    syncAsync: () => assert.fail('a reader syncs'),
    markUnsynced: () => assert.fail('a reader writes'),
    truncate: () => assert.fail('a reader writes'),
    size: () => file.size(),
    close: () => file.close(),
  });
  const wrapped: Host['storage'] = {
    kind: storage.kind,
    syncStyle: storage.syncStyle,
    list: () => storage.list(),
    exists: (name) => storage.exists(name),
    open: (name, options) => (isSegment(name) ? wrap(storage.open(name, options)) : storage.open(name, options)),
    remove: () => assert.fail('a reader removes'),
    syncDirectory: () => assert.fail('a reader syncs'),
    lock: (options) => storage.lock(options),
    close: () => {},
  };
  return { ...host, storage: wrapped };
}
