/**
 * Takes the ambient world away: after `poison()` every use of a clock, randomness, timer, or of the process through the
 * global object throws, and is counted, until `restore()`.
 *
 * Globals are replaced by getters that throw, and the members that languages offer (`Date.now`, `Math.random`, `new Date()`) by
 * functions that throw; so code that caught the error is found by the count.
 */

const GLOBALS = [
  ...['process', 'performance', 'crypto', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'clearTimeout'],
  ...['fetch', 'Buffer', 'structuredClone', 'WeakRef', 'FinalizationRegistry', 'navigator', 'console', 'Date'],
];

/** What was touched while poisoned. */
export interface Poison {
  readonly touched: string[];
  restore(): void;
}

/** See the file comment. */
export function poison(): Poison {
  const touched: string[] = [];
  const restorers: (() => void)[] = [];
  const refuse = (name: string): never => {
    touched.push(name);
    throw new Error(`${name} was used`);
  };
  for (const name of GLOBALS) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    if (before === undefined) continue;
    Object.defineProperty(globalThis, name, { configurable: true, get: () => refuse(name) });
    restorers.push(() => void Object.defineProperty(globalThis, name, before));
  }
  const random = Math.random;
  Math.random = () => refuse('Math.random');
  restorers.push(() => {
    Math.random = random;
  });
  const wait = Atomics.wait;
  Atomics.wait = () => refuse('Atomics.wait');
  restorers.push(() => {
    Atomics.wait = wait;
  });
  return {
    touched,
    restore: () => {
      for (const restore of restorers.splice(0)) restore();
    },
  };
}
