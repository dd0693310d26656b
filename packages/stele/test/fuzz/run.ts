/**
 * One fuzz run: decoders and directories in turn, each round from its own seed, so that a failure is seen again alone.
 */

import { nodeHashing } from '../../src/host/posix/hashing.ts';
import { readBlob } from '../../src/pager/blob.ts';
import { PageFile } from '../../src/pager/page-file.ts';
import { storageOf } from '../formats/kit.ts';
import { SeededRandom } from '../model/random.ts';
import { codecSeeds } from './codecs.ts';
import { type Base, type Tally, tryDirectory } from './directory.ts';
import { mutate } from './mutate.ts';
import { fuzzTargets, isAcceptable, seedsOf } from './targets.ts';

/** Bytes each target begins from. */
export type Seeds = Readonly<Record<string, readonly Uint8Array[]>>;

/** From the files of one base. */
export function seedsOfBase({ files }: Base): Seeds {
  const file = PageFile.open({ storage: storageOf(files), hashing: nodeHashing(), readOnly: true });
  const blobs = file.meta.blobs.slice(0, 3).map((blob) => readBlob(file, blob));
  file.close();
  const segments = [...files].filter(([name]) => name.endsWith('.seg')).map(([, bytes]) => bytes);
  return {
    ...seedsOf(files.get('pages.db')!, blobs, files.get('commits.idx')!),
    ...codecSeeds(new SeededRandom(1)),
    segment: segments.slice(0, 2),
    segmentHeader: segments.map((bytes) => bytes.slice(0, 256)),
  };
}

const MS_MAX = 2000;

/** One round of one target; what is wrong, or undefined. */
export function tryTarget(name: string, random: SeededRandom, seeds: Seeds): string | undefined {
  const from = seeds[name] ?? [];
  let bytes: Uint8Array;
  if (from.length === 0 || random.oneIn(20)) random.fill((bytes = new Uint8Array(random.below(random.pick([10, 300, 9000])))));
  else bytes = mutate(random, random.pick(from));
  const start = performance.now();
  try {
    fuzzTargets[name]!(bytes, nodeHashing());
  } catch (error) {
    if (!isAcceptable(error)) return `${name}: ${error instanceof Error ? error.stack : String(error)}`;
  }
  const ms = performance.now() - start;
  return ms > MS_MAX ? `${name}: took ${Math.round(ms)} ms` : undefined;
}

export const targetNames: readonly string[] = Object.keys(fuzzTargets);

/** Rounds of a target between two directories. */
const TARGET_ROUNDS = 40;

/** The round of `seed`: a directory, then each decoder some times. */
export async function round(seed: number, all: readonly Base[], seeds: Seeds, tally: Tally): Promise<string | undefined> {
  const random = new SeededRandom(seed);
  const wrong = await tryDirectory(random, all, tally);
  if (wrong !== undefined) return wrong;
  for (const name of targetNames)
    for (let i = 0; i < TARGET_ROUNDS; i++) {
      const found = tryTarget(name, random, seeds);
      if (found !== undefined) return found;
    }
  tally['rounds'] = (tally['rounds'] ?? 0) + 1;
  return undefined;
}
