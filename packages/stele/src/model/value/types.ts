/** What a value may be. Specification: spec/values.md. */

/** Everything round-trips exactly: NaN, -0, bigints of any size, bytes and dates inside objects, the order of keys. */
export type Value = string | number | bigint | boolean | null | Uint8Array | Date | JsonObject | JsonArray;

/** A plain object. Members may be any value; undefined is refused. */
export type JsonObject = { readonly [key: string]: Value };

export type JsonArray = readonly Value[];
