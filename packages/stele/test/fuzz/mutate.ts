/**
 * Mutations: of bytes, and of whole directories.
 *
 * Two kinds of directories come out. *Rotten*: bytes changed under checksums that no longer fit, as disks and copies do it; whatever is
 * read from them must be right or refused. *Forged*: changed and sealed again, so that what lies behind the checksums is reached; there
 * any answer will do, as long as it is one, or a typed refusal.
 */

import { writeU16, writeU32 } from '../../src/base/bytes.ts';
import { crc32 } from '../../src/base/crc32.ts';
import type { Meta } from '../../src/pager/meta.ts';
import type { Files } from '../formats/kit.ts';
import { changeBlob, changeHeader, changeMeta, changeRecord, metaOf } from '../formats/reseal.ts';
import { resealTree, sealPage, treePages } from '../formats/reseal-tree.ts';
import type { SeededRandom } from '../model/random.ts';

const TELLING = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** A few changes somewhere, the length kept. */
export function scratch(random: SeededRandom, bytes: Uint8Array): void {
  if (bytes.length < 8) return;
  for (let n = random.between(1, 3); n > 0; n--) {
    const at = random.below(bytes.length - 4);
    const way = random.below(5);
    if (way === 0) bytes[at] = random.below(256);
    else if (way === 1) bytes[at]! ^= 1 << random.below(8);
    else if (way === 2) writeU32(bytes, at & ~1, random.pick(TELLING));
    else if (way === 3) writeU16(bytes, at & ~1, random.pick(TELLING) & 0xffff);
    else bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
  }
}

/** Any change of any bytes; the length may change too. */
export function mutate(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const out = bytes.slice(0, random.oneIn(8) ? random.below(bytes.length + 1) : bytes.length);
  scratch(random, out);
  return out;
}

export interface Mutation {
  readonly files: Files;
  readonly isForged: boolean;
  /** One place only. */
  readonly isSingle: boolean;
  /** What was done, for the report. */
  readonly what: string;
}

/** One to three rotten places, or one or two forged ones. */
export function mutateDirectory(random: SeededRandom, files: Files): Mutation {
  const isForged = random.oneIn(2);
  let changed = files;
  const what: string[] = [];
  for (let n = random.between(1, isForged ? 2 : 3); n > 0; n--) {
    try {
      const step = isForged ? forge(random, changed) : rot(random, changed);
      changed = step.files;
      what.push(step.what);
    } catch {
      break; // what the step before left cannot be forged further
    }
  }
  return { files: changed, isForged, isSingle: what.length === 1, what: what.join(', ') };
}

interface Step {
  readonly files: Files;
  readonly what: string;
}

/** The part of a file that says something: page files and segments end in zeros taken in advance. */
function usedLength(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return Math.min(bytes.length, end + 64);
}

function rot(random: SeededRandom, files: Files): Step {
  const names = [...files.keys()].filter((name) => !name.startsWith('lock.'));
  const name = random.pick(names);
  const bytes = files.get(name)!.slice();
  const used = usedLength(bytes);
  const at = random.below(Math.max(1, random.oneIn(3) ? Math.min(used, 600) : used));
  const length = random.below(Math.min(used - at, random.pick([8, 600, 9000, 100_000])) + 1);
  const to = (next: Uint8Array, what: string): Step => ({ files: new Map(files).set(name, next), what: `${name}: ${what}` });
  switch (random.below(9)) {
    case 0:
    case 1:
      bytes[at]! ^= 1 << random.below(8);
      return to(bytes, `bit of byte ${at}`);
    case 2:
      bytes.fill(0, at, at + length);
      return to(bytes, `zeros ${at}+${length}`);
    case 3:
      bytes.copyWithin(random.below(Math.max(1, used)), at, at + length);
      return to(bytes, `copy of ${at}+${length}`);
    case 4:
      return to(bytes.slice(0, at), `cut at ${at}`);
    case 5: {
      const longer = new Uint8Array(bytes.length + length);
      longer.set(bytes);
      random.fill(longer.subarray(bytes.length));
      return to(longer, `${length} bytes more`);
    }
    case 6: {
      const other = files.get(random.pick(names))!;
      const from = random.below(Math.max(1, other.length));
      const piece = other.subarray(from, from + Math.min(length, bytes.length - at));
      bytes.set(piece, at);
      return to(bytes, `${piece.length} bytes of another file at ${at}`);
    }
    case 7: {
      const without = new Map(files);
      without.delete(name);
      return { files: without, what: `${name} removed` };
    }
    default: {
      // A block that was lost is what it was: nothing, on a file grown in advance.
      const block = Math.floor(at / 4096) * 4096;
      bytes.fill(0, block, block + 4096);
      return to(bytes, `block ${block} lost`);
    }
  }
}

function forge(random: SeededRandom, files: Files): Step {
  const scratched = (bytes: Uint8Array): void => scratch(random, bytes);
  const meta = metaOf(files);
  const way = random.weighted({ meta: 2, segment: 1, index: 1, record: 4, tree: 6, run: 1, blob: 4, entry: 2 });
  const segments = [...files.keys()].filter((name) => name.endsWith('.seg'));
  switch (way) {
    case 'meta':
      return { files: changeMeta(files, scratched), what: 'meta' };
    case 'segment':
      return { files: changeHeader(files, random.pick(segments), scratched), what: 'segment header' };
    case 'index':
      return { files: changeHeader(files, random.pick(['commits.idx', 'commits.idx', 'headers.dat']), scratched), what: 'header of index' };
    case 'record': {
      const skip = random.below(6);
      let met = 0;
      return { files: changeRecord(files, () => met++ === skip, scratched), what: `record ${skip} of segment 1` };
    }
    case 'blob':
      return forgeBlob(random, files, meta);
    case 'entry':
      return forgeIndexEntry(random, files, meta);
    default:
      return forgePage(random, files, meta, way === 'run');
  }
}

function forgeBlob(random: SeededRandom, files: Files, meta: Meta): Step {
  const index = random.pick([0, 1, 2].filter((each) => meta.blobs[each]!.pages > 0));
  const change = (bytes: Uint8Array): void => {
    scratch(random, bytes);
    if (index === 1) writeU32(bytes, bytes.length - 4, crc32(bytes, 0, bytes.length - 4, 0));
  };
  return { files: changeBlob(files, index, change), what: `blob ${index}` };
}

function forgeIndexEntry(random: SeededRandom, files: Files, meta: Meta): Step {
  const bytes = files.get('commits.idx')!.slice();
  const commit = random.between(1, Math.max(1, meta.commit));
  const at = 256 + 24 * (commit - 1);
  scratch(random, bytes.subarray(at, at + 20));
  const seed = new Uint8Array(22);
  seed.set(meta.databaseId);
  writeU32(seed, 16, commit);
  writeU32(bytes, at + 20, crc32(bytes, at, at + 20, crc32(seed, 0, 22, 0)));
  return { files: new Map(files).set('commits.idx', bytes), what: `index entry ${commit}` };
}

function forgePage(random: SeededRandom, files: Files, meta: Meta, isRun: boolean): Step {
  const pages = files.get('pages.db')!.slice();
  const candidates = isRun
    ? Array.from({ length: meta.pageCount - 2 }, (_, i) => i + 2).filter((page) => pages[page * meta.pageBytes + 6]! > 2)
    : treePages(pages, meta);
  const page = random.oneIn(4) ? candidates[0]! : random.pick(candidates);
  const bytes = pages.subarray(page * meta.pageBytes, (page + 1) * meta.pageBytes);
  // Head and slots decide most; a heap is large.
  scratch(random, random.oneIn(2) ? bytes : bytes.subarray(0, 160));
  if (isRun) sealPage(bytes, meta, page);
  else resealTree(pages, meta);
  return { files: new Map(files).set('pages.db', pages), what: `page ${page} of type ${bytes[6]}` };
}
