import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../test/model/random.ts';
import * as L from './layout.ts';
import type { PageViews } from './page-check.ts';
import { checkTreePage } from './page-check.ts';

const BYTES = 4096;
const START = 4096;

function viewsOf(u8: Uint8Array): PageViews {
  return { pageBytes: BYTES, u8, u16: new Uint16Array(u8.buffer), u32: new Uint32Array(u8.buffer) };
}

/** A page at START with one record at 4000. */
function page(type: number, level: number): PageViews {
  const views = viewsOf(new Uint8Array(2 * BYTES));
  const { u8, u16, u32 } = views;
  u8[START + L.PAGE_TYPE] = type;
  u8[START + L.PAGE_LEVEL] = level;
  u16[(START + L.PAGE_SLOT_COUNT) / 2] = 1;
  u16[(START + L.PAGE_HEAP_START) / 2] = 4000;
  u16[(START + L.PAGE_PREFIX_BYTES) / 2] = 3;
  u16[(START + 84 + L.SLOT_RECORD) / 2] = 4000;
  u16[(START + 84 + L.SLOT_SUFFIX_BYTES) / 2] = type === L.TYPE_INNER ? 0 : 6;
  if (type === L.TYPE_INNER) {
    u32[(START + 4000) / 4] = 17;
  } else {
    u16[(START + 4000 + L.LEAF_SUFFIX_BYTES) / 2] = 6;
    u16[(START + 4000 + L.LEAF_VALUE_BYTES) / 2] = 20;
  }
  return views;
}

function check(views: PageViews, level: number): string | undefined {
  return checkTreePage(views, START, BYTES, level, 18);
}

const u16 = (at: number, value: number) => (v: PageViews) => void (v.u16[(START + at) / 2] = value);
const both = (one: (v: PageViews) => void, two: (v: PageViews) => void) => (v: PageViews) => {
  one(v);
  two(v);
};
const u8 = (at: number, value: number) => (v: PageViews) => void (v.u8[START + at] = value);

test('a sound leaf and a sound inner page pass', () => {
  assert.equal(check(page(L.TYPE_LEAF, 0), 0), undefined);
  assert.equal(check(page(L.TYPE_INNER, 2), 2), undefined);
  const full = page(L.TYPE_LEAF, 0);
  full.u16[(START + 4000 + L.LEAF_COMMIT_LOW) / 2] = 9;
  full.u16[(START + 4012 + 12) / 2] = 7; // behind expiry and ordinal: the superseded commit
  full.u16[(START + 4000) / 2] = L.LEAF_FLAGS_KNOWN & ~(L.LEAF_TOMBSTONE | L.LEAF_LARGE);
  assert.equal(check(full, 0), undefined, 'with every field');
});

const wrongLeaf: [string, (views: PageViews) => void][] = [
  ['type', u8(L.PAGE_TYPE, 5)],
  ['blob', u8(L.PAGE_TYPE, L.TYPE_BLOB)],
  ['inner page at level 0', u8(L.PAGE_TYPE, L.TYPE_INNER)],
  ['level', u8(L.PAGE_LEVEL, 1)],
  ['flags', u8(L.PAGE_FLAGS, 1)],
  ['reserved', u8(L.PAGE_RESERVED, 1)],
  ['reserved for encryption', u8(79, 1)],
  ['prefix', u16(L.PAGE_PREFIX_BYTES, 1101)],
  ['heap past the end', u16(L.PAGE_HEAP_START, BYTES + 4)],
  ['heap unaligned', u16(L.PAGE_HEAP_START, 3999)],
  ['too many slots', u16(L.PAGE_SLOT_COUNT, 500)],
  ['garbage', u16(L.PAGE_GARBAGE, 97)],
  ['record below the heap', u16(84 + L.SLOT_RECORD, 3996)],
  ['record unaligned', u16(84 + L.SLOT_RECORD, 4001)],
  ['record past the end', u16(84 + L.SLOT_RECORD, 4092)],
  ['record far outside', u16(84 + L.SLOT_RECORD, 0xfffc)],
  ['key too long', u16(84 + L.SLOT_SUFFIX_BYTES, 1098)],
  ['key lengths differ', u16(84 + L.SLOT_SUFFIX_BYTES, 7)],
  ['value past the end', u16(4000 + L.LEAF_VALUE_BYTES, 79)],
  ['unknown record flag', u16(4000, 0x0800)],
  ['large reference of another length', both(u16(4000, L.LEAF_LARGE), u16(4000 + L.LEAF_VALUE_BYTES, 19))],
  ['large reference of unknown kind', u16(4000, L.LEAF_LARGE)],
  ['reserved bytes of a large reference', both(u16(4000, L.LEAF_LARGE), both(u8(4018 + L.LARGE_KIND, 1), u8(4018 + 5, 1)))],
  ['place of a value in the log', both(u16(4000, L.LEAF_LARGE), both(u8(4018 + L.LARGE_KIND, 1), u8(4018 + 16, 1)))],
  ['reserved bytes of the expiry', both(u16(4000, L.LEAF_EXPIRES), u16(4012 + 6, 1))],
  ['reserved bytes of the back commit', both(u16(4000, L.LEAF_BACK), u16(4012 + 6, 1))],
  ['reserved bytes of the first commit', both(u16(4000, L.LEAF_BACK), u16(4012 + 18, 1))],
  ['supersedes nothing', u16(4000, L.LEAF_BACK)],
  ['supersedes a later commit', both(u16(4000, L.LEAF_BACK), both(u16(4012, 2), u16(4000 + L.LEAF_COMMIT_LOW, 1)))],
  ['carried without a way back', u16(4000, L.LEAF_BACK_CARRIED)],
  ['tombstone with a value', u16(4000, L.LEAF_TOMBSTONE)],
  ['fields past the end', both(u16(84 + L.SLOT_RECORD, 4080), u16(4080, L.LEAF_BACK))],
  ['head of another key', (v) => void (v.u32[(START + 84) / 4] = 1)],
  ['two equal keys', both(u16(L.PAGE_SLOT_COUNT, 2), both(u16(92 + L.SLOT_RECORD, 4000), u16(92 + L.SLOT_SUFFIX_BYTES, 6)))],
  ['spine past the end', both(u16(4000, L.LEAF_SPINE), u16(4000 + 12, 0xffff))],
];

for (const [what, change] of wrongLeaf) {
  test(`a leaf is refused: ${what}`, () => {
    const views = page(L.TYPE_LEAF, 0);
    change(views);
    assert.notEqual(check(views, 0), undefined);
  });
}

const wrongInner: [string, (views: PageViews) => void][] = [
  ['level of another', u8(L.PAGE_LEVEL, 3)],
  ['no children', u16(L.PAGE_SLOT_COUNT, 0)],
  ['child is a meta page', u16(4000, 1)],
  ['the first child has a separator', u16(84 + L.SLOT_SUFFIX_BYTES, 6)],
  ['child past the end of the file', u16(4000, 18)],
  ['child far outside', u16(4004, 1)],
  ['reserved bytes of the child', u16(4006, 1)],
  ['summary flag: sealed', u16(4000 + L.INNER_FLAGS, L.INNER_HAS_SEALED)],
  ['summary flag: merge', u16(4000 + L.INNER_FLAGS, L.INNER_HAS_MERGE)],
  ['unknown summary flag', u16(4000 + L.INNER_FLAGS, 8)],
  ['record past the end', u16(84 + L.SLOT_SUFFIX_BYTES, 65)],
];

for (const [what, change] of wrongInner) {
  test(`an inner page is refused: ${what}`, () => {
    const views = page(L.TYPE_INNER, 2);
    change(views);
    assert.notEqual(check(views, 2), undefined);
  });
}

test('random bytes never lead the check outside the page', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 20_000; round++) {
    const views = page(round % 2 === 0 ? L.TYPE_LEAF : L.TYPE_INNER, round % 2);
    // The check may look at nothing outside, or it would see these.
    for (let i = 0; i < 6; i++) views.u16[(START + random.below(64) * 2 + (random.below(2) === 0 ? 0 : 4000 - 64)) / 2] = random.next();
    const bytes = views.u8.slice(START, START + BYTES);
    const alone = viewsOf(bytes.slice());
    assert.equal(checkTreePage(alone, 0, BYTES, round % 2, 18), check(views, round % 2));
  }
});
