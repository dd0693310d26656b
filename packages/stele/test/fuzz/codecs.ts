/**
 * Fuzz targets of paths and values: any bytes are refused as damage or give a path or value no larger than they are, which is written
 * and read back the same; any text is a path or refused.
 */

import assert from 'node:assert/strict';
import { nodeTexts } from '../../src/host/posix/texts.ts';
import { pureTexts } from '../../src/host/pure-texts.ts';
import { decodePath } from '../../src/model/path/decode.ts';
import { encodePrefix } from '../../src/model/path/encode.ts';
import { formatPath, parsePath } from '../../src/model/path/text.ts';
import { valueDecoder } from '../../src/model/value/decode.ts';
import { ValueEncoder } from '../../src/model/value/encode.ts';
import type { Value } from '../../src/model/value/types.ts';
import { drawPath, drawValue } from '../codecs/draw.ts';
import type { SeededRandom } from '../model/random.ts';

const encoder = new ValueEncoder(nodeTexts());
const decode = valueDecoder(nodeTexts());
const decodeInScript = valueDecoder(pureTexts());

export const codecTargets: Readonly<Record<string, (bytes: Uint8Array) => void>> = {
  key: (bytes) => {
    const path = decodePath(bytes, 0, bytes.length);
    const key = new Uint8Array(bytes.length + 2000);
    // Longer than a path may be: there is no key to compare.
    if (bytes.length > 1025) return;
    assert.deepEqual(key.slice(0, encodePrefix(path, key, 0)), Uint8Array.from(bytes));
    assert.deepEqual(parsePath(formatPath(path)), path);
  },
  pathText: (bytes) => {
    const path = parsePath(Buffer.from(bytes).toString('utf8'));
    assert.deepEqual(parsePath(formatPath(path)), path);
  },
  value: (bytes) => {
    const value = decode(bytes, 0, bytes.length);
    assert.deepStrictEqual(decodeInScript(bytes, 0, bytes.length), value);
    const parts = partsOf(value);
    if (parts > bytes.length) throw new Error(`${parts} parts out of ${bytes.length} bytes`);
    const length = encoder.encode(value);
    assert.deepStrictEqual(decode(encoder.bytes.slice(0, length), 0, length), value);
  },
};

/** Values inside a value, itself included. */
function partsOf(value: Value): number {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array || value instanceof Date) return 1;
  return Object.values(value).reduce((sum: number, member) => sum + partsOf(member as Value), 1);
}

/** Real bytes to begin from. */
export function codecSeeds(random: SeededRandom): Readonly<Record<string, Uint8Array[]>> {
  const key = new Uint8Array(1100);
  const paths = Array.from({ length: 40 }, () => drawPath(random).filter((segment) => typeof segment !== 'bigint'));
  return {
    key: paths.map((path) => key.slice(0, encodePrefix(path, key, 0))),
    pathText: paths.map((path) => new TextEncoder().encode(formatPath(path))),
    value: Array.from({ length: 60 }, () => {
      const length = encoder.encode(drawValue(random));
      return encoder.bytes.slice(0, length);
    }),
  };
}
