/**
 * Paths and values: golden vectors, and the second decoder on fresh ones.
 *
 * `golden/typed.jsonl` holds, one JSON object a line, text or description and bytes of each vector, and bytes that a reader refuses. It is not
 * frozen until the format review says so (its first line tells); until then `STELE_UPDATE_GOLDEN=1 npm run test:fast` writes it anew.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SteleError } from '../../src/base/errors.ts';
import { nodeTexts } from '../../src/host/posix/texts.ts';
import { decodePath } from '../../src/model/path/decode.ts';
import { encodePath } from '../../src/model/path/encode.ts';
import { formatPath, parsePath } from '../../src/model/path/text.ts';
import type { Segment } from '../../src/model/path/types.ts';
import { valueDecoder } from '../../src/model/value/decode.ts';
import { ValueEncoder } from '../../src/model/value/encode.ts';
import type { Value } from '../../src/model/value/types.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { drawBytes, drawPath, drawValue } from '../codecs/draw.ts';
import { SeededRandom } from '../model/random.ts';
import { filesOf, machine } from './kit.ts';
import { type Description, describeValue, valueFrom } from './typed.ts';
import { paths, refusedKeys, refusedValues, values } from './vectors.ts';

interface Golden {
  readonly frozen: boolean;
  readonly keys: readonly { readonly path: string; readonly key: string }[];
  readonly values: readonly { readonly value: Description; readonly bytes: string }[];
  readonly refusedKeys: readonly string[];
  readonly refusedValues: readonly string[];
}

const folder = fileURLToPath(new URL('./', import.meta.url));
const goldenPath = join(folder, 'golden', 'typed.jsonl');
const skip = spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is missing: the second decoder was not run';

const encoder = new ValueEncoder(nodeTexts());
const decode = valueDecoder(nodeTexts());
const scratch = new Uint8Array(1100);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'hex');
const keyOf = (path: string | Segment[]): Uint8Array => scratch.slice(0, encodePath(path, scratch, 0));
const storedOf = (value: Value): Uint8Array => {
  const length = encoder.encode(value);
  return encoder.bytes.slice(0, length);
};

/** What our reader says of bytes, in the words of the second decoder. */
function told(kind: 'key' | 'value', bytes: Uint8Array): object {
  try {
    if (kind === 'key') return { path: formatPath(decodePath(bytes, 0, bytes.length)) };
    return { value: describeValue(decode(bytes, 0, bytes.length)) };
  } catch (error) {
    assert.ok(error instanceof SteleError, String(error));
    return error.code === 'FORMAT_NEWER' ? { newer: '' } : { refused: '' };
  }
}

/** What the second decoder says; its reasons are its own. */
function secondTold(lines: readonly string[]): object[] {
  const output = execFileSync('python3', ['-B', join(folder, 'decoder', 'vectors.py')], {
    input: lines.join('\n'),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return output
    .trim()
    .split('\n')
    .map((line) => {
      const answer = JSON.parse(line) as { refused?: string; newer?: string };
      if (answer.refused !== undefined) return { refused: '' };
      return answer.newer === undefined ? answer : { newer: '' };
    });
}

const made: Golden = {
  frozen: false,
  keys: paths.map((path) => ({ path, key: hex(keyOf(path)) })),
  values: values.map((value) => ({ value: describeValue(value), bytes: hex(storedOf(value)) })),
  refusedKeys,
  refusedValues,
};
if (process.env['STELE_UPDATE_GOLDEN'] === '1' && !(existsSync(goldenPath) && readGolden().frozen)) writeGolden(made);

function writeGolden({ frozen, keys, values, refusedKeys, refusedValues }: Golden): void {
  const lines = [
    { frozen },
    ...keys,
    ...values,
    ...refusedKeys.map((refusedKey) => ({ refusedKey })),
    ...refusedValues.map((refusedValue) => ({ refusedValue })),
  ];
  writeFileSync(goldenPath, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

function readGolden(): Golden {
  const lines = readFileSync(goldenPath, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const withMember = <T>(name: string): T[] => lines.filter((line) => name in line) as T[];
  return {
    frozen: lines[0]!['frozen'] === true,
    keys: withMember('key'),
    values: withMember('bytes'),
    refusedKeys: withMember<{ refusedKey: string }>('refusedKey').map((line) => line.refusedKey),
    refusedValues: withMember<{ refusedValue: string }>('refusedValue').map((line) => line.refusedValue),
  };
}

test('golden paths and values are written and read as the file says', () => {
  const golden = readGolden();
  assert.ok(golden.keys.length > 40 && golden.values.length > 50);
  for (const { path, key } of golden.keys) {
    assert.equal(hex(keyOf(path)), key, path);
    assert.equal(hex(keyOf(parsePath(path))), key, path);
    assert.deepEqual(told('key', bytesOf(key)), { path });
  }
  for (const { value, bytes } of golden.values) {
    assert.equal(hex(storedOf(valueFrom(value))), bytes, JSON.stringify(value));
    assert.deepEqual(told('value', bytesOf(bytes)), { value });
  }
  for (const key of golden.refusedKeys) assert.ok('refused' in told('key', bytesOf(key)), key);
  for (const bytes of golden.refusedValues) assert.ok(!('value' in told('value', bytesOf(bytes))), bytes);
});

test('the golden file holds what these tests would write', () => {
  const { frozen, ...golden } = readGolden();
  const { frozen: _, ...fresh } = made;
  assert.deepEqual(golden, fresh, frozen ? 'a format was changed that is frozen' : 'STELE_UPDATE_GOLDEN=1 writes it anew');
});

test('the second decoder reads the golden file', { skip }, () => {
  const golden = readGolden();
  const lines = [
    ...golden.keys.map(({ key }) => `key ${key}`),
    ...golden.values.map(({ bytes }) => `value ${bytes}`),
    ...golden.refusedKeys.map((key) => `key ${key}`),
    ...golden.refusedValues.map((bytes) => `value ${bytes}`),
  ];
  const answers = secondTold(lines);
  const good = [...golden.keys.map(({ path }) => ({ path })), ...golden.values.map(({ value }) => ({ value }))];
  assert.deepEqual(answers.slice(0, good.length), good);
  for (const [i, answer] of answers.slice(good.length).entries())
    assert.ok('refused' in answer || 'newer' in answer, lines[good.length + i]);
});

test('the second decoder says of fresh and of damaged bytes what ours says', { skip }, () => {
  const random = new SeededRandom(41);
  const lines: string[] = [];
  const expected: object[] = [];
  const ask = (kind: 'key' | 'value', bytes: Uint8Array): void => {
    lines.push(`${kind} ${hex(bytes)}`);
    expected.push(told(kind, bytes));
  };
  for (let n = 0; n < 1500; n++) {
    const path = drawPath(random);
    const stored = storedOf(drawValue(random));
    ask('value', stored);
    ask('value', damaged(random, stored));
    try {
      const key = keyOf(path);
      ask('key', key);
      ask('key', damaged(random, key));
    } catch (error) {
      assert.match((error as Error).message, /as a key/);
    }
  }
  const answers = secondTold(lines);
  assert.equal(answers.length, lines.length);
  for (const [i, answer] of answers.entries()) assert.deepEqual(answer, expected[i], lines[i]!.slice(0, 200));
  const refused = expected.filter((each) => 'refused' in each).length;
  assert.ok(refused > 500 && refused < expected.length / 2, `${refused} of ${expected.length} are refused`);
});

/** A copy with something changed; characters of ASCII text stay ASCII, since a reader need not look. */
function damaged(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const copy = random.oneIn(5) ? bytes.slice(0, random.below(bytes.length)) : bytes.slice();
  for (let n = random.between(1, 3); n > 0 && copy.length > 0; n--)
    copy[random.below(Math.min(copy.length, 60))] = random.pick([...drawBytes(random, 1), 0, 1, 2, 4, 5, 6, 16, 17, 18, 24, 25, 127, 128]);
  return copy;
}

test('the second decoder reads paths and values in the files of a database', { skip }, async () => {
  const random = new SeededRandom(42);
  const it = machine();
  const engine = await openEngine({ host: it.host, segmentBytes: 64 * 1024, pageSize: 8192, cacheMemory: 2 ** 21 });
  const kept = new Map<string, Description>();
  for (let n = 0; n < 300; n++) {
    const path = drawPath(random).map((segment) => (typeof segment === 'bigint' ? segment % 2n ** 99n : segment));
    const value = n === 7 ? 'long '.repeat(30_000) : drawValue(random);
    await engine.put(keyOf(path), storedOf(value), { durability: 'async' });
    kept.set(formatPath(path), describeValue(value));
  }
  await engine.close();
  const directory = mkdtempSync(join(tmpdir(), 'stele-typed-'));
  try {
    for (const [name, bytes] of filesOf(it.host.storage)) writeFileSync(join(directory, name), bytes);
    const output = execFileSync('python3', ['-B', join(folder, 'decoder', 'decoder.py'), directory, 'typed'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const entries = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: string; path: string; typed: Description })
      .filter(({ line }) => line === 'entry');
    assert.equal(entries.length, kept.size);
    for (const { path, typed } of entries) assert.deepEqual(typed, kept.get(path), path);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
