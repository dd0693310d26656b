/**
 * Keys, values and orders: the same for every engine, from a seed, made before the clock starts.
 *
 * Entry i of the loaded set has the id 2·i, so that ids 2·i + 1 are missing and lie between the others. Keys read
 * `users/000123456/name`, 20 bytes; values are 100 ASCII bytes, taken in turn from a pool whose members all differ.
 * Strings are flat (built from bytes): a rope or slice would charge the engine for flattening it.
 */

/** xoshiro128**, seeded by splitmix32: good enough for orders, fast, the same everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  const mix = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = mix();
  let b = mix();
  let c = mix();
  let d = mix();
  return () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result / 4294967296;
  };
}

/** 0 … count − 1 in seeded order (Fisher–Yates). */
export function shuffledIndexes(count: number, seed: number): Uint32Array {
  const random = seededRandom(seed);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** YCSB's Zipfian generator (Gray et al.), constant 0.99; ranks scattered over the whole set by a hash. */
export function zipfIndexes(items: number, seed: number, constant = 0.99): () => number {
  const random = seededRandom(seed);
  let zeta = 0;
  for (let i = 1; i <= items; i++) zeta += 1 / i ** constant;
  const zeta2 = 1 + 0.5 ** constant;
  const alpha = 1 / (1 - constant);
  const eta = (1 - (2 / items) ** (1 - constant)) / (1 - zeta2 / zeta);
  return () => {
    const u = random();
    const uz = u * zeta;
    const rank = uz < 1 ? 0 : uz < zeta2 ? 1 : Math.floor(items * (eta * u - eta + 1) ** alpha);
    return scatter(Math.min(rank, items - 1), items);
  };
}

function scatter(rank: number, items: number): number {
  let hash = 0x811c9dc5;
  for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((rank >>> shift) & 0xff), 0x01000193);
  return (hash >>> 0) % items;
}

const keyTemplate = Buffer.from('users/000000000/name', 'latin1');

/** The key of an id below 10^9. */
export function keyOf(id: number): string {
  for (let at = 14, rest = id; at >= 6; at--, rest = Math.floor(rest / 10)) keyTemplate[at] = 48 + (rest % 10);
  return keyTemplate.toString('latin1');
}

export const keyLength = 20;
export const valueLength = 100;

const poolSize = 1024;
let pool: string[] | undefined;

function makePool(): string[] {
  const random = seededRandom(271828);
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-';
  const bytes = Buffer.alloc(valueLength);
  return Array.from({ length: poolSize }, () => {
    for (let i = 0; i < valueLength; i++) bytes[i] = letters.charCodeAt(Math.floor(random() * letters.length));
    return bytes.toString('latin1');
  });
}

/** The value of entry i in its n-th generation (0 as loaded). */
export function textOf(index: number, generation = 0): string {
  pool ??= makePool();
  return pool[(index * 31 + generation * 7) & (poolSize - 1)]!;
}

/** Keys of entries of the loaded set, one per draw. */
export function drawKeys(count: number, draw: () => number): string[] {
  const keys = new Array<string>(count);
  for (let i = 0; i < count; i++) keys[i] = keyOf(2 * draw());
  return keys;
}
