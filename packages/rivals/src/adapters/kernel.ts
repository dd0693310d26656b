/**
 * Stele through its byte interface, as a layer above would drive it: the column `kernel`, beside the one that is judged.
 *
 * A key is the keyspace byte 0x02 and the key's text, written by a charCodeAt loop into a buffer that is used again: the engine
 * keeps no reference to a key or value once the call returned. Values come out through `read` and a decoder that makes the
 * string from the page itself. Single writes use the blocking form, many in flight the promises.
 */

import { posixHost, type SharedHandle } from 'stele';
import { attachEngine, openEngine, type Reader } from 'stele/kernel';
import { fileBytes, writtenBytes } from '../directory.ts';
import { engineOptions, type OurRival, type OurView, settingsOf } from '../ours.ts';
import type { ReadingRival, RivalOptions } from '../rival.ts';
import { decodeText, keyBytesOf, writeText } from '../text.ts';

const userSpace = { start: Uint8Array.of(2), end: Uint8Array.of(3) };

/** Buffers of exact length that are used again, for calls that take a whole array. */
function exactBuffers(lead: number): (text: string) => Uint8Array {
  const byLength: Uint8Array[] = [];
  return (text) => {
    const length = lead + text.length;
    let buffer = byLength[length];
    if (buffer === undefined) {
      buffer = new Uint8Array(length);
      if (lead === 1) buffer[0] = 2;
      byLength[length] = buffer;
    }
    writeText(text, buffer, lead);
    return buffer;
  };
}

/** One buffer for every key that is looked up. */
function lookupBuffer(): Uint8Array {
  const buffer = new Uint8Array(1200);
  buffer[0] = 2;
  return buffer;
}

function viewOf(reader: Reader, close: () => void): OurView {
  const lookup = lookupBuffer();
  return {
    get: (key) => reader.read(lookup, writeText(key, lookup, 1), decodeText),
    count: () => reader.forEach(userSpace, () => undefined),
    scanValues: () => {
      let characters = 0;
      reader.forEach(userSpace, (_key, _length, bytes, start, end) => void (characters += decodeText(bytes, start, end).length));
      return characters;
    },
    close,
  };
}

export async function openKernel(options: RivalOptions): Promise<OurRival> {
  const host = posixHost(options.directory);
  const engine = await openEngine({ host, ...engineOptions(options) });
  const lookup = lookupBuffer();
  const keyOf = exactBuffers(1);
  const textOf = exactBuffers(0);
  const manyKeys: Uint8Array[][] = [];
  const own = new TextEncoder();

  return {
    name: 'kernel',
    settings: settingsOf(options),
    share: () => engine.share(),
    get: (key) => engine.read(lookup, writeText(key, lookup, 1), decodeText),
    getBytes: (key) => engine.get(keyOf(key)),
    getMany: (keys) => {
      let buffers = manyKeys[keys.length];
      if (buffers === undefined) manyKeys[keys.length] = buffers = keys.map(() => new Uint8Array(0));
      for (let i = 0; i < keys.length; i++) {
        const text = keys[i]!;
        if (buffers[i]!.length === text.length + 1) writeText(text, buffers[i]!, 1);
        else buffers[i] = keyBytesOf(text);
      }
      return engine.readMany(buffers, decodeText);
    },
    has: (key) => engine.has(keyOf(key)),
    put: (key, value) => void engine.putSync(keyOf(key), textOf(value)),
    putTogether: (key, value) => engine.put(keyOf(key), textOf(value)),
    remove: (key) => void engine.deleteSync(keyOf(key)),
    batch: (keys, values) => {
      const operations = keys.map((key, i) => ({ type: 'put' as const, key: keyBytesOf(key), value: own.encode(values[i]!) }));
      engine.batchSync(operations);
      return undefined;
    },
    scan: () => {
      let characters = 0;
      for (const { key, value } of engine.scan(userSpace)) characters += key.length - 1 + value.length;
      return characters;
    },
    scanBatch: () => {
      let characters = 0;
      engine.forEach(userSpace, (key, keyLength, bytes, start, end) => {
        characters += decodeText(key, 1, keyLength).length + decodeText(bytes, start, end).length;
      });
      return characters;
    },
    range: (start, limit) => {
      let characters = 0;
      const range = { start: keyBytesOf(start), end: userSpace.end, limit };
      engine.forEach(range, (key, keyLength, bytes, from, to) => {
        characters += decodeText(key, 1, keyLength).length + decodeText(bytes, from, to).length;
      });
      return characters;
    },
    snapshot: () => {
      const view = engine.snapshot();
      return { get: (key) => view.read(lookup, writeText(key, lookup, 1), decodeText), close: () => view.close() };
    },
    count: () => engine.count(userSpace),
    compact: () => engine.compact(),
    dataBytes: () => fileBytes(options.directory, /^pages\.db$/),
    logBytes: () => writtenBytes(options.directory, /^log-.*\.seg$/),
    version: () => engine.version,
    now: () => viewOf(engine, () => undefined),
    asOf: (version) => {
      const view = engine.asOf(version);
      return viewOf(view, () => view.close());
    },
    hasFirst: () => engine.first(userSpace) !== undefined,
    removeAll: () => engine.deleteRange(userSpace.start, userSpace.end),
    sync: () => engine.sync(),
    flush: () => engine.flush(),
    backup: async (directory) => {
      const target = posixHost(directory);
      await engine.backup(target.storage);
      await target.threads.close();
      target.storage.close();
    },
    replayed: () => Number(engine.stats()['work']?.['replayed']),
    bareGets: (texts) => {
      const keys = texts.map(keyBytesOf);
      const length = (_bytes: Uint8Array, start: number, end: number): number => end - start;
      return (i) => void engine.read(keys[i % keys.length]!, keys[i % keys.length]!.length, length);
    },
    barePuts: (texts, value) => {
      const keys = texts.map(keyBytesOf);
      const bytes = own.encode(value);
      return (i) => void engine.putSync(keys[i % keys.length]!, bytes);
    },
    settle: async () => {
      await engine.sync();
      await engine.flush();
    },
    close: async () => {
      await engine.close();
      await host.threads.close();
      host.storage.close();
    },
  };
}

/** The reader of a thread: the memory and the files of the owner, whose engine stays open beside it. */
export function attachKernel(directory: string, shared: unknown): ReadingRival {
  const host = posixHost(directory);
  const reader = attachEngine(shared as SharedHandle, { host });
  const lookup = lookupBuffer();
  return {
    get: (key) => reader.read(lookup, writeText(key, lookup, 1), decodeText),
    close: async () => {
      reader.close();
      await host.threads.close();
      host.storage.close();
    },
  };
}
