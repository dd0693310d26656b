/**
 * What paths and values cost on their way to bytes and back, beside the cheapest that could be done.
 *
 *   node packages/stele/bench/codecs.bench.ts [passes, default 15]
 *
 * Median of the passes in ns a call, all rows taking turns; 1,000 different inputs each. Rows in brackets are not ours: the floor, or
 * another way.
 */

import { nodeTexts } from '../src/host/posix/texts.ts';
import { pureTexts } from '../src/host/pure-texts.ts';
import { decodePath } from '../src/model/path/decode.ts';
import { encodePath } from '../src/model/path/encode.ts';
import type { Path } from '../src/model/path/types.ts';
import { valueDecoder } from '../src/model/value/decode.ts';
import { ValueEncoder } from '../src/model/value/encode.ts';
import type { Value } from '../src/model/value/types.ts';

const PASSES = Number(process.argv[2] ?? 15);
const CALLS = 100_000;
const INPUTS = 1000;

/** One input after the other in one array, as in a page. */
interface Encoded {
  readonly bytes: Uint8Array;
  readonly at: Uint32Array;
}

const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
const inputs = <T>(make: (n: number) => T): T[] => Array.from({ length: INPUTS }, (_, n) => make(n));
const six = (n: number): string => String(n * 997).padStart(6, '0');

const encoder = new ValueEncoder(nodeTexts());
const decode = valueDecoder(nodeTexts());
const decodeInScript = valueDecoder(pureTexts());
const key = new Uint8Array(2048);

function encoded<T>(all: readonly T[], encode: (one: T) => Uint8Array): Encoded {
  const pieces = all.map(encode);
  const bytes = new Uint8Array(new SharedArrayBuffer(pieces.reduce((sum, piece) => sum + piece.length, 0)));
  const at = new Uint32Array(pieces.length + 1);
  for (const [n, piece] of pieces.entries()) {
    bytes.set(piece, at[n]!);
    at[n + 1] = at[n]! + piece.length;
  }
  return { bytes, at };
}
const keysOf = (paths: readonly Path[]): Encoded => encoded(paths, (path) => key.slice(0, encodePath(path, key, 0)));
const valuesOf = (values: readonly Value[]): Encoded =>
  encoded(values, (value) => {
    const length = encoder.encode(value);
    return encoder.bytes.slice(0, length);
  });

const textPaths = inputs((n) => flat(`users/${six(n)}/profile`));
const arrayPaths = inputs((n) => ['users', six(n), 'profile']);
const numberPaths = inputs((n) => ['users', n * 997, 'profile']);
const textKeys = keysOf(textPaths);
const numberKeys = keysOf(numberPaths);

const ascii = inputs((n) => flat(six(n).padEnd(100, 'v')));
const short = inputs((n) => flat(six(n)));
const words = inputs((n) => `Größe ${n} – `.repeat(8));
const small = inputs((n) => ({ a: n, b: 'x', c: [1, 2] }));
const person = inputs((n) => ({
  name: flat(`person ${n}`),
  email: flat(`p${n}@example.org`),
  age: n % 90,
  tags: ['a', 'b'],
  active: n % 2 === 0,
  score: n / 7,
}));
const numbers = inputs((n) => n * 1e6);
const doubles = inputs((n) => n / 7);
const dates = inputs((n) => new Date(1.7e12 + n));

let sink = 0;
const rows = new Map<string, { run: () => void; times: number[] }>();
function row(name: string, call: (n: number) => number): void {
  const run = (): void => {
    for (let i = 0; i < CALLS; i++) sink += call((i * 7) % INPUTS);
  };
  rows.set(name, { run, times: [] });
}

function copyText(text: string, target: Uint8Array): number {
  for (let i = 0; i < text.length; i++) target[i] = text.charCodeAt(i);
  return text.length;
}
const eachOf =
  ({ bytes, at }: Encoded, use: (bytes: Uint8Array, start: number, end: number) => number) =>
  (n: number) =>
    use(bytes, at[n]!, at[n + 1]!);
const sizeOf = (value: Value): number => (typeof value === 'string' ? value.length : 1);

row('[20 characters to bytes, unchecked]', (n) => copyText(textPaths[n]!, key));
row('encodePath, text of 20', (n) => encodePath(textPaths[n]!, key, 0));
row('encodePath, array of 3 texts', (n) => encodePath(arrayPaths[n]!, key, 0));
row('encodePath, array with a number', (n) => encodePath(numberPaths[n]!, key, 0));
row(
  'decodePath, 3 texts',
  eachOf(textKeys, (bytes, start, end) => decodePath(bytes, start, end).length),
);
row(
  'decodePath, with a number',
  eachOf(numberKeys, (bytes, start, end) => decodePath(bytes, start, end).length),
);

const buffer = Buffer.alloc(4096);
const utf8 = new TextDecoder();
const asciiBytes = valuesOf(ascii);
row('[100 ASCII characters: utf8Write]', (n) => buffer.write(ascii[n]!, 1));
row('encode 100 ASCII characters', (n) => encoder.encode(ascii[n]!));
row(
  '[100 ASCII characters: latin1Slice]',
  eachOf(asciiBytes, (bytes, start, end) => Buffer.prototype.latin1Slice.call(bytes, start + 1, end).length),
);
row(
  '[100 ASCII characters: TextDecoder]',
  eachOf(asciiBytes, (bytes, start, end) => utf8.decode(bytes.subarray(start + 1, end)).length),
);
row(
  '[100 ASCII characters: script]',
  eachOf(asciiBytes, (bytes, start, end) => sizeOf(decodeInScript(bytes, start, end))),
);
row(
  'decode 100 ASCII characters',
  eachOf(asciiBytes, (bytes, start, end) => sizeOf(decode(bytes, start, end))),
);
for (const [name, all] of Object.entries({
  '6 characters': short,
  '100 beyond ASCII': words,
  'whole number': numbers,
  double: doubles,
  date: dates,
})) {
  row(`encode ${name}`, (n) => encoder.encode(all[n]!));
  row(
    `decode ${name}`,
    eachOf(valuesOf(all), (bytes, start, end) => sizeOf(decode(bytes, start, end))),
  );
}
for (const [name, all] of Object.entries({ '{a, b, c}': small, 'six members': person })) {
  const texts = all.map((one) => JSON.stringify(one));
  row(`[JSON.stringify ${name}]`, (n) => JSON.stringify(all[n]!).length);
  row(`encode ${name}`, (n) => encoder.encode(all[n]!));
  row(`[JSON.parse ${name}]`, (n) => (JSON.parse(texts[n]!) as object) && 1);
  row(
    `decode ${name}`,
    eachOf(valuesOf(all), (bytes, start, end) => sizeOf(decode(bytes, start, end))),
  );
}

for (let pass = -2; pass < PASSES; pass++)
  for (const { run, times } of rows.values()) {
    const start = performance.now();
    run();
    if (pass >= 0) times.push(((performance.now() - start) / CALLS) * 1e6);
  }
for (const [name, { times }] of rows) {
  times.sort((a, b) => a - b);
  console.log(`${name.padEnd(40)} ${times[times.length >> 1]!.toFixed(0).padStart(6)} ns   least ${times[0]!.toFixed(0).padStart(6)}`);
}
if (sink === 0.5) console.log(sink);
