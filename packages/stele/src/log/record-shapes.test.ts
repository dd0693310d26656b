/** The tables of a record are found once; what is read through them is verified every time. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, fromStart, logOptions, recoverAndCheck } from '../../test/log/kit.ts';
import { SteleError } from '../base/errors.ts';
import { Log, OK } from './log.ts';
import { OperationView } from './operation-view.ts';
import { RecordShapes } from './record-shapes.ts';
import { type Segment, segmentName } from './segment.ts';

const damaged = (error: unknown): boolean => error instanceof SteleError && error.code === 'RECORD_DAMAGED';

test('a shape is that of one record only, and a later record takes its slot', () => {
  const shapes = new RecordShapes();
  const [one, other] = [{} as Segment, {} as Segment];
  assert.equal(shapes.find(one, 256, 7), -1);
  shapes.keep(one, 256, 7, 900, 600, 30, 2);
  const slot = shapes.find(one, 256, 7);
  assert.deepEqual([shapes.length[slot], shapes.tables[slot], shapes.operations[slot], shapes.carried[slot]], [900, 600, 30, 2]);
  assert.deepEqual([shapes.find(other, 256, 7), shapes.find(one, 512, 7), shapes.find(one, 256, 7 + 1024)], [-1, -1, -1]);
  shapes.keep(one, 300, 7 + 1024, 901, 601, 31, 3);
  assert.equal(shapes.find(one, 256, 7), -1);
  assert.notEqual(shapes.find(one, 300, 7 + 1024), -1);
  shapes.clear();
  assert.equal(shapes.find(one, 300, 7 + 1024), -1);
});

test('the operation of a record of one is found after a version that the record carries', () => {
  const options = logOptions();
  const log = Log.create(options);
  const plain = { expiresAt: 0, backCommit: 0, backOrdinal: 0, backCarried: false, table: undefined };
  const carried = [{ ...plain, commit: 1, value: Uint8Array.of(9, 9) }];
  const operation = (at: number) => ({ ...plain, key: Uint8Array.of(1), value: Uint8Array.of(at) });
  const commit = (at: number, more: typeof carried) =>
    append(log, {
      commit: at,
      timeMs: at,
      asserted: 0,
      meta: [],
      operations: [operation(at)],
      carried: more,
      segment: 0,
      offset: 0,
      checksum: 0,
    });
  const models = [commit(1, []), commit(2, carried)];
  log.writeGroup();
  log.close();
  const again = recoverAndCheck(fromStart(options), models);
  const { segment, offset } = models[1]!;
  const view = new OperationView();
  assert.equal(again.readOperation(segment, offset, 2, 0, true, view), OK);
  assert.deepEqual(view.value(), Uint8Array.of(9, 9));
  assert.equal(again.readOperation(segment, offset, 2, 0, false, view), OK);
  assert.deepEqual(view.value(), Uint8Array.of(2));
  again.close();
});

test('an operation of a record whose tables are known is verified like the first', () => {
  const options = logOptions();
  const log = Log.create(options);
  const operations = Array.from({ length: 40 }, (_, at) => ({
    key: Uint8Array.of(1, at),
    value: new Uint8Array(50).fill(at + 100),
    expiresAt: 0,
    backCommit: 0,
    backOrdinal: 0,
    backCarried: false,
    table: undefined,
  }));
  const model = append(log, { commit: 1, timeMs: 1, asserted: 0, meta: [], operations, carried: [], segment: 0, offset: 0, checksum: 0 });
  log.writeGroup();
  log.close();
  const again = recoverAndCheck(fromStart(options), [model]);
  const view = new OperationView();
  const read = (ordinal: number): number => again.readOperation(model.segment, model.offset, 1, ordinal, false, view);
  for (const ordinal of [3, 39, 0, 17]) {
    assert.equal(read(ordinal), OK);
    assert.deepEqual(view.value(), operations[ordinal]!.value);
    assert.equal(view.ordinal, ordinal);
  }
  assert.throws(() => read(40), damaged);

  const file = options.storage.open(segmentName(1));
  const bytes = new Uint8Array(64 * 1024);
  const held = file.read(bytes, 0, bytes.length, 0);
  const at = bytes.subarray(0, held).findIndex((_, i) => i > model.offset && bytes.subarray(i, i + 50).every((byte) => byte === 117));
  file.write(Uint8Array.of(118), 0, 1, at + 20);
  file.close();
  assert.throws(() => read(17), damaged);
  assert.equal(read(18), OK);
  again.close();
});
