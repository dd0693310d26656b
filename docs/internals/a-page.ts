/**
 * The script of the chapter "A page" (a-page.md): makes a small database and shows what lies in its page file.
 *
 *   node docs/internals/a-page.ts
 */

import { readU16, readU32, readU48 } from '../../packages/stele/src/base/bytes.ts';
import { memoryHost } from '../../packages/stele/src/host/memory/host.ts';
import * as L from '../../packages/stele/src/pager/layout.ts';
import { readMetaSlots } from '../../packages/stele/src/pager/meta-slots.ts';
import { PageFile } from '../../packages/stele/src/pager/page-file.ts';
import { slotCount, slotKeyInto, slotsWord } from '../../packages/stele/src/tree/page.ts';
import { openEngine } from '../../packages/stele/src/txn/engine.ts';
import { hexdump, print, text } from './show.ts';

const host = memoryHost();
const key = (name: string): Uint8Array => new TextEncoder().encode(`\x02${name}`);

print('1. A database of 300 users, one of them changed, flushed and closed');
const engine = await openEngine({ host, pageSize: 8192 });
for (let n = 0; n < 300; n++)
  await engine.put(key(`users/${String(n).padStart(6, '0')}`), new TextEncoder().encode(`user number ${n}`.padEnd(60, '.')));
await engine.put(key('users/000002'), new TextEncoder().encode('changed'));
await engine.close();

const file = host.storage.open('pages.db', { readOnly: true });
print(`   pages.db has ${file.size()} bytes, ${file.size() / 8192} pages`);

print('\n2. Two meta slots; the higher sequence counts');
for (const [slot, found] of readMetaSlots(file).entries())
  if (found.state === 'meta')
    print(
      `   slot ${slot}: sequence ${found.meta.sequence}, commit ${found.meta.commit}, root page ${found.meta.rootPage}, height ${found.meta.height}`,
    );
const start = new Uint8Array(64);
file.read(start, 0, 64, 0);
print(hexdump(start, 0, 32));
file.close();

const pageFile = PageFile.open({ storage: host.storage, hashing: host.hashing, readOnly: true });
const { meta, pageBytes } = pageFile;
const u8 = new Uint8Array(pageBytes);
const page = { pageBytes, u8, u16: new Uint16Array(u8.buffer), u32: new Uint32Array(u8.buffer) };

print(`\n3. The root, page ${meta.rootPage}: an inner page`);
pageFile.readTreePage(u8, 0, meta.rootPage, meta.rootChecksum);
showHeader();
const slots = slotsWord(page, 0) * 4;
print('   prefix and first slots');
print(hexdump(u8, L.PAGE_PREFIX, slots + 3 * L.SLOT_BYTES));
const keyBytes = new Uint8Array(L.KEY_BYTES_MAX + 4);
for (let slot = 0; slot < slotCount(page, 0); slot++) {
  const record = recordOf(slot);
  const separator = text(keyBytes, 0, slotKeyInto(page, 0, slot, false, keyBytes));
  print(
    `   slot ${slot}: separator "${slot === 0 ? '' : separator}" → page ${readU48(u8, record + L.INNER_CHILD)}, ` +
      `${readU48(u8, record + L.INNER_LIVE_COUNT)} live entries below`,
  );
}
const record = recordOf(1);
print('   the inner record of slot 1');
print(hexdump(u8, record, record + L.INNER_SUFFIX + 12));
const child = readU48(u8, recordOf(0) + L.INNER_CHILD);
const childChecksum = readU32(u8, recordOf(0) + L.INNER_CHILD_CHECKSUM);

print(`\n4. Its first child, page ${child}: a leaf, believed because its checksum is the one the parent names`);
pageFile.readTreePage(u8, 0, child, childChecksum);
showHeader();
for (const slot of [0, 1, 2]) {
  const at = recordOf(slot);
  const flags = readU16(u8, at + L.LEAF_FLAGS);
  const name = text(keyBytes, 0, slotKeyInto(page, 0, slot, true, keyBytes));
  print(`   slot ${slot}: head ${hex32(slotHead(slot))}, record at ${at}, key "${name}", flags ${flags} (${flagNames(flags)})`);
  print(`      written by commit ${readU32(u8, at + L.LEAF_COMMIT_LOW)}, value of ${readU16(u8, at + L.LEAF_VALUE_BYTES)} bytes`);
}
print('   the leaf record of slot 2: fixed fields, back address, suffix, value');
print(hexdump(u8, recordOf(2), recordOf(2) + 44));
pageFile.close();

function showHeader(): void {
  print(hexdump(u8, 0, 32));
  print(
    `   checksum ${hex32(readU32(u8, L.PAGE_CHECKSUM))}, id ${readU32(u8, L.PAGE_ID_LOW)}, type ${u8[L.PAGE_TYPE]}, level ${u8[L.PAGE_LEVEL]}, ` +
      `${slotCount(page, 0)} slots, heap from ${readU16(u8, L.PAGE_HEAP_START)}, ` +
      `prefix "${text(u8, L.PAGE_PREFIX, L.PAGE_PREFIX + readU16(u8, L.PAGE_PREFIX_BYTES))}"`,
  );
}

function recordOf(slot: number): number {
  return readU16(u8, slotsWord(page, 0) * 4 + slot * L.SLOT_BYTES + L.SLOT_RECORD);
}

function slotHead(slot: number): number {
  return readU32(u8, slotsWord(page, 0) * 4 + slot * L.SLOT_BYTES + L.SLOT_HEAD);
}

function flagNames(flags: number): string {
  const names: string[] = [];
  if ((flags & L.LEAF_BACK) !== 0) names.push('back address');
  if ((flags & L.LEAF_TOMBSTONE) !== 0) names.push('tombstone');
  const depth = (flags & L.LEAF_DEPTH_MASK) >> L.LEAF_DEPTH_SHIFT;
  names.push(`depth ${depth}`);
  return names.join(', ');
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
