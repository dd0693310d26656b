/**
 * Longest declared prefix of a key: a compressed trie over bytes, in two flat arrays. A find allocates nothing.
 *
 *   node    six numbers in `nodes`: label start, label end (in `labels`), value, first child byte, how many, place in `children`
 *   child   an entry of `children` for each byte from the first to the last one a node branches at; 0 = none (the root is no child)
 *
 * A prefix P stands for all keys that begin so; or, with `excluded` 0xFF, for the path P and all below: the keys in [P, P ++ 0xFF). 0xFF behind P
 * would be an escaped zero inside the last segment, which is another path; so a value counts where the key ends or goes on with another byte.
 *
 * Invariants
 * - `find` looks at no byte of the key at or behind `keyBytes`, and reads each byte once.
 * - Order of the prefixes does not matter; of equal ones the last counts.
 *
 * Specification: spec/policies.md, "Which policy holds".
 */

import { compareBytes } from './bytes.ts';

/** No byte. */
const NONE = -1;
/** No declared prefix fits. */
export const NO_PREFIX = -1;

export class PrefixTrie {
  readonly #nodes: Int32Array;
  readonly #labels: Uint8Array;
  readonly #children: Int32Array;
  readonly #excluded: number;

  private constructor(nodes: Int32Array, labels: Uint8Array, children: Int32Array, excluded: number) {
    this.#excluded = excluded;
    this.#nodes = nodes;
    this.#labels = labels;
    this.#children = children;
  }

  /** The value of a prefix is its place in the list. `excluded`: the byte that no key below a prefix goes on with. */
  static of(prefixes: readonly Uint8Array[], excluded: number = NONE): PrefixTrie {
    const order = prefixes.map((_, place) => place);
    order.sort((a, b) => compareBytes(prefixes[a]!, 0, prefixes[a]!.length, prefixes[b]!, 0, prefixes[b]!.length) || a - b);
    const draft: Draft = { prefixes, order, nodes: [], labels: [], children: [] };
    if (order.length > 0) addNode(draft, 0, order.length, 0);
    return new PrefixTrie(Int32Array.from(draft.nodes), Uint8Array.from(draft.labels), Int32Array.from(draft.children), excluded);
  }

  /** The value of the longest prefix that the key is at or below, or {@link NO_PREFIX}. */
  find(key: Uint8Array, keyBytes: number): number {
    const nodes = this.#nodes;
    const labels = this.#labels;
    let best = NO_PREFIX;
    if (nodes.length === 0) return best;
    for (let node = 0, at = 0; ; ) {
      let label = nodes[node]!;
      const labelEnd = nodes[node + 1]!;
      if (labelEnd - label > keyBytes - at) return best;
      while (label < labelEnd) if (labels[label++] !== key[at++]) return best;
      const value = nodes[node + 2]!;
      if (at === keyBytes) return value < 0 ? best : value;
      const byte = key[at]!;
      if (value >= 0 && byte !== this.#excluded) best = value;
      const slot = byte - nodes[node + 3]!;
      if (slot < 0 || slot >= nodes[node + 4]!) return best;
      node = this.#children[nodes[node + 5]! + slot]!;
      if (node === 0) return best;
    }
  }
}

interface Draft {
  readonly prefixes: readonly Uint8Array[];
  /** Places in `prefixes`, in byte order. */
  readonly order: readonly number[];
  readonly nodes: number[];
  readonly labels: number[];
  readonly children: number[];
}

/** Adds the node of the sorted prefixes [from, to), which agree in their first `depth` bytes; gives its place. */
function addNode(draft: Draft, from: number, to: number, depth: number): number {
  const { prefixes, order, nodes, labels, children } = draft;
  const place = nodes.length;
  const first = prefixes[order[from]!]!;
  const last = prefixes[order[to - 1]!]!;
  // Sorted: what the first and the last share, all share.
  let end = depth;
  while (end < first.length && end < last.length && first[end] === last[end]) end++;
  const labelStart = labels.length;
  for (let at = depth; at < end; at++) labels.push(first[at]!);
  nodes.push(labelStart, labels.length, NO_PREFIX, 0, 0, 0);
  let next = from;
  for (; next < to && prefixes[order[next]!]!.length === end; next++) nodes[place + 2] = order[next]!;
  if (next === to) return place;
  const lowest = prefixes[order[next]!]![end]!;
  const count = last[end]! - lowest + 1;
  const base = children.length;
  for (let slot = 0; slot < count; slot++) children.push(0);
  nodes[place + 3] = lowest;
  nodes[place + 4] = count;
  nodes[place + 5] = base;
  while (next < to) {
    const byte = prefixes[order[next]!]![end]!;
    let behind = next + 1;
    while (behind < to && prefixes[order[behind]!]![end] === byte) behind++;
    children[base + byte - lowest] = addNode(draft, next, behind, end);
    next = behind;
  }
  return place;
}
