/** What a path is made of. Specification: spec/paths.md. */

/** One step of a path. Numbers and bigints are one kind, ordered by value; `'9'` and `9` differ. */
export type Segment = string | number | bigint | boolean | Uint8Array;

/** Segments from the root, or their text: `'users/alice/name'` is `['users', 'alice', 'name']`. */
export type Path = string | readonly Segment[];
