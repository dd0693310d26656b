/** A JavaScript Map: no order, no disk, no bytes. A yardstick for what memory allows, never counted as the best rival. */

import type { Rival, RivalOptions } from '../rival.ts';

export async function openMap(_options: RivalOptions): Promise<Rival> {
  const map = new Map<string, string>();
  const sum = (): number => {
    let characters = 0;
    for (const [key, value] of map) characters += key.length + value.length;
    return characters;
  };
  return {
    name: 'map',
    settings: 'memory only, unordered',
    get: (key) => map.get(key),
    getBytes: (key) => {
      const value = map.get(key);
      return value === undefined ? undefined : Buffer.from(value, 'latin1');
    },
    getMany: (keys) => {
      const found = new Array<string | undefined>(keys.length);
      for (let i = 0; i < keys.length; i++) found[i] = map.get(keys[i]!);
      return found;
    },
    has: (key) => map.has(key),
    put: (key, value) => void map.set(key, value),
    putTogether: (key, value) => void map.set(key, value),
    remove: (key) => void map.delete(key),
    batch: (keys, values) => {
      // Own copies, as every other engine keeps its own: values that are shared would fit in the processor's cache.
      for (let i = 0; i < keys.length; i++) map.set(keys[i]!, Buffer.from(values[i]!, 'latin1').toString('latin1'));
      return undefined;
    },
    scan: sum,
    scanBatch: sum,
    range: () => 0,
    count: () => map.size,
    compact: () => undefined,
    dataBytes: () => 0,
    settle: () => undefined,
    close: () => undefined,
  };
}
