import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { databaseId, logOptions, type ModelCommit, rng, writeProgram } from '../../test/log/kit.ts';
import { memoryHost } from '../host/memory/host.ts';
import { COMMIT_HEADER_BYTES } from './commit-header.ts';
import { HEADERS_FILE, headerAt, headerJob } from './header-job.ts';
import { Log } from './log.ts';

const sha = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
};
const be = (value: number, bytes: number): Uint8Array => {
  const out = Buffer.alloc(bytes);
  if (bytes === 8) out.writeBigUInt64BE(BigInt(value));
  else out.writeUInt32BE(value);
  return out;
};

/** RFC 6962, as its text says it. */
function root(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha();
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha(Uint8Array.of(1), root(leaves.slice(0, k)), root(leaves.slice(k)));
}

function naiveHeader(model: ModelCommit, secretOf: (ordinal: number) => Uint8Array): Uint8Array {
  const leaf = (label: string, ordinal: number, secret: Uint8Array, content: Uint8Array): Uint8Array =>
    sha(Uint8Array.of(0), sha(secret, Buffer.from(label), be(model.commit, 8), be(ordinal, 4)), content);
  const operations = model.operations.map(({ key, value, expiresAt }, i) => {
    const head = Buffer.concat([Uint8Array.of(value === undefined ? 2 : 1), be(key.length, 4), key]);
    return leaf('op', i, secretOf(i), value === undefined ? head : Buffer.concat([head, be(expiresAt, 8), be(value.length, 4), value]));
  });
  const contents = [
    ...(model.asserted === 0 ? [] : [Buffer.concat([Uint8Array.of(1), be(model.asserted, 8)])]),
    ...model.meta.map((chunk) => Buffer.concat([Uint8Array.of(2), chunk])),
  ];
  const meta = contents.map((content, i) => leaf('meta', i, secretOf(0), content));
  return Buffer.concat([
    Uint8Array.of(1, 1, 1),
    databaseId,
    be(model.commit, 8),
    be(model.timeMs, 8),
    new Uint8Array(16),
    root(operations),
    root(meta),
  ]);
}

test('the header job derives what the specification says, in any number of runs', async () => {
  const host = memoryHost();
  const options = logOptions(host.storage, { segmentBytes: 1024 * 1024 });
  const log = Log.create(options);
  const models = writeProgram(log, rng(11), 150, { operationsMax: 20 });
  log.syncNow();
  const secrets = new Map<number, Uint8Array>();
  for (const name of host.storage.list()) {
    const file = host.storage.open(name);
    const head = Buffer.alloc(256);
    file.read(head, 0, 256, 0);
    secrets.set(head.readUInt32LE(24), Uint8Array.from(head.subarray(96, 128)));
    file.close();
  }
  let done = 0;
  for (const through of [1, 40, 41, 150]) {
    const first = models[done]!;
    const input = {
      databaseId,
      fromCommit: done + 1,
      from: { segment: first.segment, offset: first.offset },
      throughCommit: through,
      through: { segment: log.durableSegment, offset: log.durableOffset },
    };
    assert.equal((await host.threads.run(headerJob, input)).throughCommit, through);
    done = through;
  }
  const file = host.storage.open(HEADERS_FILE);
  let compared = 0;
  for (const [i, model] of models.entries()) {
    const next = models[i + 1];
    if (next !== undefined && next.segment !== model.segment) continue;
    const header = new Uint8Array(COMMIT_HEADER_BYTES);
    file.read(header, 0, header.length, headerAt(model.commit));
    assert.deepEqual(Buffer.from(header), Buffer.from(naiveHeader(model, () => secrets.get(model.segment)!)), `commit ${model.commit}`);
    compared++;
  }
  assert.ok(compared > 120);
  assert.equal(file.size(), headerAt(151));
  await host.threads.close();
});
