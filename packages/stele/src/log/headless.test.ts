/**
 * Story: one rotten bit in the header of the newest segment made it an unused file; recovery removed it, and every durable commit in it
 * was gone without a word. The fuzz rack found it. Groups are looked for in such files since.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesOf, keyOf, machine, storageOf } from '../../test/formats/kit.ts';
import { steleError } from '../../test/host/contract.ts';
import { openEngine } from '../txn/engine.ts';

/** As a killed process leaves it: the newest segment holds commits that are on the device. */
async function killed(): Promise<{ files: Map<string, Uint8Array>; newest: string; version: number }> {
  const { host } = machine();
  const engine = await openEngine({ host, segmentBytes: 64 * 1024 });
  for (let n = 0; n < 90; n++) engine.putSync(keyOf(`k${n % 40}`), new Uint8Array(1000).fill(n));
  const files = filesOf(host.storage);
  const newest = [...files.keys()].filter((name) => name.endsWith('.seg')).at(-1)!;
  const { version } = engine;
  await engine.close();
  return { files, newest, version };
}

test('a segment whose header rots is missed, not taken for an unused file', async () => {
  const { files, newest, version } = await killed();
  assert.notEqual(newest, 'log-000001.seg');
  const spoils: [string, (bytes: Uint8Array) => void][] = [
    ...Array.from({ length: 64 }, (_, i): [string, (bytes: Uint8Array) => void] => [`bit of byte ${i * 4}`, (b) => void (b[i * 4]! ^= 8)]),
    ['header lost', (b) => b.fill(0, 0, 256)],
    ['block lost', (b) => b.fill(0, 0, 4096)],
  ];
  for (const [what, spoil] of spoils) {
    const bytes = files.get(newest)!.slice();
    spoil(bytes);
    for (const readOnly of [true, false]) {
      const storage = storageOf(new Map(files).set(newest, bytes));
      await assert.rejects(openEngine({ host: machine(storage).host, readOnly }), steleError('corrupt', 'LOG_DAMAGED'), what);
      assert.deepEqual(filesOf(storage).get(newest), bytes, `${what}: the file is left as it is`);
    }
  }
  const sound = await openEngine({ host: machine(storageOf(files)).host });
  assert.equal(sound.version, version);
  await sound.close();
});

test('a spare that was never a segment, and one whose old header rots, do not stop an opening', async () => {
  const { files, version } = await killed();
  const zeros = new Uint8Array(64 * 1024);
  const old = files.get('log-000001.seg')!.slice();
  old[33]! ^= 1;
  for (const spare of [zeros, old, new Uint8Array(100), new Uint8Array(0)]) {
    const engine = await openEngine({ host: machine(storageOf(new Map(files).set('log-000009.seg', spare))).host });
    assert.equal(engine.version, version);
    await engine.close();
  }
});
