/**
 * What kind of object a value is, also when it was made in another realm (a vm context, a test runner's sandbox), where
 * `instanceof` says no.
 */

/** An object literal, or one without prototype. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  // The Object.prototype of another realm: nothing above it, and it has what every realm's has.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf');
}

/** An array, of no subclass. Array.prototype is an array itself, in every realm; the prototype of a subclass is none. */
export function isPlainArray(value: object): value is readonly unknown[] {
  return Array.isArray(value) && Array.isArray(Object.getPrototypeOf(value));
}

/** A Uint8Array; Node's Buffer is one. */
export function isBytes(value: object): value is Uint8Array {
  return value instanceof Uint8Array || (ArrayBuffer.isView(value) && typedArrayName.call(value) === 'Uint8Array');
}

/** A Date. */
export function isDate(value: object): value is Date {
  if (value instanceof Date) return true;
  if (Object.prototype.toString.call(value) !== '[object Date]') return false;
  try {
    // Only a real one has a time.
    Date.prototype.getTime.call(value);
    return true;
  } catch {
    return false;
  }
}

/** What a value that is refused is called in a message. */
export function nameOf(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object with a prototype of its own';
}

/** Reads the hidden name of a typed array, whatever properties say. */
const typedArrayName: () => string | undefined = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get! as () => string | undefined;
