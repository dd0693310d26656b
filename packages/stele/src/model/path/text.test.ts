import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPath, drawSegment, drawText, normal } from '../../../test/codecs/draw.ts';
import { SeededRandom } from '../../../test/model/random.ts';
import { SteleError } from '../../base/errors.ts';
import { formatPath, formatSegment, parsePath, parseSegment } from './text.ts';
import type { Segment } from './types.ts';

test('each kind of segment has its text', () => {
  const texts: [string, Segment[]][] = [
    ['', []],
    ['users/alice/name', ['users', 'alice', 'name']],
    ['#42/#-1/#0/#0.1/#1e-7', [42, -1, 0, 0.1, 1e-7]],
    ['#9007199254740991/#9007199254740992', [2 ** 53 - 1, 2n ** 53n]],
    ['#-123456789012345678901234567890', [-123456789012345678901234567890n]],
    ['#true/#false', [true, false]],
    ['0x/0x00ff', [new Uint8Array(0), Uint8Array.of(0, 255)]],
    ['\\#42/\\#true/\\0x/\\0x00ff', ['#42', '#true', '0x', '0x00ff']],
    ['#foo/#/#007/#-/#1./0x0/0XAB/0xfg/42/true', ['#foo', '#', '#007', '#-', '#1.', '0x0', '0XAB', '0xfg', '42', 'true']],
    ['a\\/b/a\\\\b/\\\\#1/#1\\/2', ['a/b', 'a\\b', '\\#1', '#1/2']],
    [' / \0', [' ', ' \0']],
  ];
  for (const [text, path] of texts) {
    assert.deepEqual(parsePath(text), path, text);
    assert.equal(formatPath(path), text);
  }
});

test('texts that are not canonical are read too', () => {
  assert.deepEqual(parsePath('#1.50/#1e3/#-0/#-0.0/#1E+2/0xFf/\\a\\b/#4\\2/0\\x00/#9007199254740991.0'), [
    ...[1.5, 1000, 0, 0, 100],
    Uint8Array.of(255),
    ...['ab', '#42', '0x00'],
    2 ** 53 - 1,
  ]);
  assert.ok(Object.is(parsePath('#-0')[0], 0));
});

test('parsePath(formatPath(p)) is p, and the text of that is the same text', () => {
  const random = new SeededRandom(21);
  for (let n = 0; n < 20_000; n++) {
    const path = drawPath(random).map(normal);
    const text = formatPath(path);
    assert.deepEqual(parsePath(text), path, text);
    assert.equal(formatPath(parsePath(text)), text);
    const segment = drawSegment(random);
    assert.deepEqual(parseSegment(formatSegment(segment)), normal(segment), formatSegment(segment));
  }
});

test('any text is read or refused, and what is read has one canonical text', () => {
  const random = new SeededRandom(22);
  let read = 0;
  for (let n = 0; n < 20_000; n++) {
    let text = '';
    for (let k = random.between(1, 12); k > 0; k--)
      text += random.pick(['#', '\\', '/', '0', 'x', '1', '9', '-', '.', 'e', 'a', 'true', 'f', '00']);
    let path: Segment[];
    try {
      path = parsePath(text);
    } catch (error) {
      assert.ok(error instanceof SteleError && error.code === 'PATH_INVALID', `${text}: ${error}`);
      continue;
    }
    read++;
    assert.deepEqual(parsePath(formatPath(path)), path, text);
    assert.ok(formatPath(path).length <= text.length + 20 || text.includes('e'), text);
  }
  assert.ok(read > 5000, `${read} read`);
});

test('an escape stands only where the text would be read as something else', () => {
  const random = new SeededRandom(23);
  for (let n = 0; n < 5000; n++) {
    const text = random.oneIn(2) ? drawText(random) : (drawSegment(random) as string);
    if (typeof text !== 'string') continue;
    const formatted = formatSegment(text);
    if (formatted === text) continue;
    const unread = ((): Segment | undefined => {
      try {
        return parseSegment(text);
      } catch {
        return undefined;
      }
    })();
    assert.notDeepEqual(unread, text);
  }
});

test('alone, a segment does not mind a slash', () => {
  assert.equal(formatSegment('a/b'), 'a/b');
  assert.equal(parseSegment('a/b'), 'a/b');
  assert.equal(parseSegment('a\\/b'), 'a/b');
  assert.equal(formatSegment('\\'), '\\\\');
  assert.equal(formatSegment(5), '#5');
  assert.deepEqual(parseSegment('0x01'), Uint8Array.of(1));
});

test('what is no path is refused with the segment and what was expected', () => {
  const refused = (call: () => unknown, words: RegExp): void => {
    assert.throws(call, (error) => {
      assert.ok(error instanceof SteleError && error.kind === 'invalid' && error.code === 'PATH_INVALID', String(error));
      assert.match(error.message, words);
      return true;
    });
  };
  for (const text of ['/', 'a//b', '/a', 'a/']) refused(() => parsePath(text), /segment \d is empty, expected at least one character/);
  refused(() => parsePath('a/b\\'), /segment 2 is the text "b\\\\" with \\ at its end/);
  refused(() => parsePath('#1e21'), /#1e21, beyond the safe integers, expected all its digits/);
  refused(() => parsePath('#1e999'), /beyond the safe integers/);
  refused(() => parsePath(`#${'9'.repeat(9999)}`), /32768 bits/);
  refused(() => parsePath(`#${'9'.repeat(100_000)}`), /100000 characters/);
  refused(() => parsePath('\ud800'), /lone surrogate/);
  refused(() => parsePath(Array(65).fill('a').join('/')), /64 segments/);
  refused(() => parseSegment(''), /empty/);
  refused(() => formatPath(['a', '']), /segment 2 is an empty text/);
  for (const segment of [Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53, 1n << 32768n, '\udfff', null, {}, undefined])
    refused(() => formatPath([segment as Segment]), /segment 1/);
});
