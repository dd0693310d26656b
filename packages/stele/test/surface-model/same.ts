/**
 * Are two answers the same, to the bit? NaN is NaN, −0 is not 0, 1 is not 1n, members come in one order, bytes are bytes and dates dates.
 */

export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array) === 0;
  if (a instanceof Date) return a.getTime() === (b as Date).getTime();
  if (Array.isArray(a)) return a.length === (b as unknown[]).length && a.every((one, at) => same(one, (b as unknown[])[at]));
  const names = Object.keys(a);
  const others = Object.keys(b);
  if (names.length !== others.length) return false;
  return names.every((name, at) => name === others[at] && same((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]));
}

/** One line for people. */
export function show(answer: unknown): string {
  return shown(answer, 0);
}

function shown(one: unknown, depth: number): string {
  if (typeof one === 'string') return JSON.stringify(one.length > 80 ? `${one.slice(0, 60)}… ${one.length} characters` : one);
  if (typeof one === 'bigint') return `${one}n`;
  if (Object.is(one, -0)) return '-0';
  if (typeof one !== 'object' || one === null) return String(one);
  if (one instanceof Uint8Array)
    return `bytes ${Buffer.from(one.subarray(0, 16)).toString('hex')}${one.length > 16 ? `… ${one.length}` : ''}`;
  if (one instanceof Date) return `Date ${one.getTime()}`;
  if (one instanceof Error) return `${(one as { code?: string }).code ?? one.name}: ${one.message}${depth === 0 ? `\n${one.stack}` : ''}`;
  if (Array.isArray(one)) {
    const some = one.slice(0, 24).map((element) => shown(element, depth + 1));
    return `[${some.join(', ')}${one.length > some.length ? `, … ${one.length} in all` : ''}]`;
  }
  return `{ ${Object.entries(one)
    .map(([name, value]) => `${name}: ${shown(value, depth + 1)}`)
    .join(', ')} }`;
}
