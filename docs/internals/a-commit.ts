/**
 * The script of the chapter "A commit's life" (a-commit.md): follows one put from the call to the page file, and through a crash.
 *
 *   node docs/internals/a-commit.ts
 *
 * It runs on the simulated machine (host/faulty), because that lists every operation on the disk, and can lose its power.
 */

import { readU16, readU32, readU48 } from '../../packages/stele/src/base/bytes.ts';
import { type FaultyHost, faultyHost } from '../../packages/stele/src/host/faulty/host.ts';
import { openEngine } from '../../packages/stele/src/txn/engine.ts';
import type { Engine } from '../../packages/stele/src/txn/types.ts';
import { hexdump, print } from './show.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const key = bytes('\x02users/ada');
const options = { segmentBytes: 64 * 1024, cacheMemory: 1024 * 1024, durability: 'async' as const };
const onDevice = { durability: 'immediate' as const };

let seen = 0;
/** The changing operations on the disk since the last call. */
function disk(host: FaultyHost): void {
  const list = host.storage.trace!.filter(({ kind }) => kind === 'write' || kind === 'sync' || kind === 'truncate');
  for (const { kind, name, position, length } of list.slice(seen))
    print(`     disk: ${kind} ${name}${kind === 'sync' ? '' : ` [${position}, ${position + length})`}`);
  if (list.length === seen) print('     disk: nothing');
  seen = list.length;
}

function numbers(engine: Engine): void {
  const { commits, log } = engine.stats() as unknown as Record<string, Record<string, number>>;
  print(
    `     applied ${engine.version}, visible ${engine.visibleVersion}, durable ${engine.durableVersion}, flushed ${commits!['flushed']}; ` +
      `${log!['pendingBytes']} bytes in the log buffer, ${log!['unsyncedBytes']} written and not synced`,
  );
}

print('1. A new database: segment 1 with its header, an empty commit index, meta 0');
const host = faultyHost({ seed: 4, record: true });
const engine = await host.drive(openEngine({ host, ...options }));
disk(host);
numbers(engine);

print('\n2. put() returns at once: room is taken, the record is in the buffer, the tree has it');
const promise = engine.put(key, bytes('countess'), onDevice);
disk(host);
numbers(engine);

print('\n3. At the end of the turn the group is written: the kernel has it');
await Promise.resolve();
await Promise.resolve();
disk(host);
numbers(engine);
showGroup(host);

print('\n4. Then it is synced, and the promise resolves');
const receipt = await host.drive(promise);
disk(host);
numbers(engine);
print(`     receipt: version ${receipt.version}, ${receipt.durability}, checksum ${receipt.checksum.toString(16).padStart(8, '0')}`);

print('\n5. flush(): the leaf, the tables, a sync, the meta, a sync');
await host.drive(engine.flush());
disk(host);
numbers(engine);

print('\n6. Two more commits, the second at kernel level only; then the power goes');
await host.drive(engine.put(key, bytes('programmer'), onDevice));
await host.drive(engine.put(key, bytes('perhaps')));
disk(host);
numbers(engine);
const rebooted = host.reboot({ record: true });

print('\n7. Recovery: the newest meta, and the log behind it');
seen = 0;
const again = await rebooted.drive(openEngine({ host: rebooted, ...options }));
disk(rebooted);
numbers(again);
print(`     ${again.stats()['work']!['replayed']} commits replayed`);
for (const { version, value } of again.history(key)) print(`     version ${version}: ${new TextDecoder().decode(value)}`);
await rebooted.drive(again.close());

/** The first group of segment 1, and the record in it. */
function showGroup(machine: FaultyHost): void {
  const file = machine.storage.open('log-000001.seg', { readOnly: true });
  const u8 = new Uint8Array(46 + 26 + 40);
  file.read(u8, 0, u8.length, 256);
  file.close();
  print(
    `   the group, at byte 256: kind ${u8[12]}, durable before it: segment ${readU32(u8, 26)}, byte ${readU32(u8, 30)}, ${readU32(u8, 42)} bytes`,
  );
  print(hexdump(u8, 0, 46));
  const record = u8.subarray(46);
  print(
    `   the record, at byte 302: kind ${record[12]}, flags ${record[13]}, commit ${readU48(record, 14)}, ${readU32(record, 8)} bytes, ` +
      `checksum ${readU32(record, 0).toString(16).padStart(8, '0')}, chain ${readU32(record, 4).toString(16).padStart(8, '0')}`,
  );
  print(hexdump(record, 0, readU16(record, 8)));
}
