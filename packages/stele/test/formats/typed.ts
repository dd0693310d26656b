/**
 * Values as descriptions that every language can compare: JSON arrays that begin with a kind, numbers by their bits.
 */

import type { Value } from '../../src/model/value/types.ts';

export type Description =
  | readonly ['null']
  | readonly ['boolean', boolean]
  | readonly ['number' | 'bigint' | 'text' | 'units' | 'bytes', string]
  | readonly ['date', number]
  | readonly ['array', readonly Description[]]
  | readonly ['object', readonly (readonly [Description, Description])[]];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export function describeValue(value: Value): Description {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? ['text', value] : ['units', hex(Buffer.from(value, 'utf16le'))];
    case 'number': {
      const bits = new DataView(new ArrayBuffer(8));
      bits.setFloat64(0, value);
      return ['number', Number.isNaN(value) ? '7ff8000000000000' : hex(new Uint8Array(bits.buffer))];
    }
    case 'bigint':
      return ['bigint', String(value)];
    case 'boolean':
      return ['boolean', value];
    default:
      if (value === null) return ['null'];
      if (value instanceof Uint8Array) return ['bytes', hex(value)];
      if (value instanceof Date) return ['date', value.getTime()];
      if (Array.isArray(value)) return ['array', value.map(describeValue)];
      return ['object', Object.entries(value).map(([name, member]) => [describeValue(name), describeValue(member)] as const)];
  }
}

/** The value that a description describes. */
export function valueFrom(description: Description): Value {
  const [kind, content] = description;
  switch (kind) {
    case 'null':
      return null;
    case 'boolean':
    case 'text':
      return content;
    case 'number':
      return Buffer.from(content, 'hex').readDoubleBE();
    case 'bigint':
      return BigInt(content);
    case 'units':
      return Buffer.from(content, 'hex').toString('utf16le');
    case 'bytes':
      return Uint8Array.from(Buffer.from(content, 'hex'));
    case 'date':
      return new Date(content);
    case 'array':
      return content.map(valueFrom);
    default: {
      // Built by definition, so that __proto__ is a member.
      const object: Record<string, Value> = {};
      for (const [name, member] of content)
        Object.defineProperty(object, valueFrom(name) as string, {
          value: valueFrom(member),
          writable: true,
          enumerable: true,
          configurable: true,
        });
      return object;
    }
  }
}
