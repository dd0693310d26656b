/**
 * Walks the pages of one level in key order, holding its place as a key: the tree may change and pages may come and go
 * between two steps.
 *
 * Invariants
 * - After FOUND the path of the tree (lpn, frame, index) is that of the page it stands on, from its level up; it is good
 *   until the tree is modified or a page is loaded.
 * - A page that stays where it is is met once; what moves past the place of the walk meanwhile may be missed.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { compareBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import { KEY_BYTES_MAX } from '../pager/layout.ts';
import { recordAt, searchPage, slotCount, slotKeyInto } from './page.ts';
import { END, FOUND, MISS } from './results.ts';
import type { TreeState } from './state.ts';
import { childLpnAt } from './summary.ts';

/** A place in the key order: `key[0, bytes)`. */
export class KeyPlace {
  key: Uint8Array = new Uint8Array(KEY_BYTES_MAX + 4);
  bytes = 0;

  /** Takes over another's place. */
  set(other: KeyPlace): void {
    this.key.set(other.key.subarray(0, other.bytes));
    this.bytes = other.bytes;
  }
}

/**
 * Moves the place on. Separators in order are what makes a walk end: pages are believed to be in order in themselves, not to lie in
 * the range their parents say.
 *
 * @throws {SteleError} `corrupt` PAGE_INVALID when that would not be forward.
 */
export function moveOn(place: KeyPlace, to: Uint8Array, bytes: number): void {
  if (compareBytes(to, 0, bytes, place.key, 0, place.bytes) <= 0)
    throw new SteleError('corrupt', 'PAGE_INVALID', 'the separators of a level do not ascend: verify tells where');
  place.key.set(to.subarray(0, bytes));
  place.bytes = bytes;
}

/**
 * Leads the path to the page at `level` whose range contains the place. `upper` becomes the upper end of that range,
 * with `bytes` −1 for none. FOUND or MISS; `level` must be below the height.
 */
export function descendTo(tree: TreeState, level: number, place: KeyPlace, upper: KeyPlace): number {
  const { pages, pathLpn, pathFrame, pathIndex } = tree;
  upper.bytes = -1;
  tree.soughtAt = -1;
  let lpn = tree.rootLpn;
  for (let at = tree.height - 1; at >= level; at--) {
    const frame = pages.frameOf[lpn]!;
    if (!(frame >= 0)) {
      tree.missed = lpn;
      return MISS;
    }
    pages.ref[frame] = 1;
    pathLpn[at] = lpn;
    pathFrame[at] = frame;
    if (at === 0) break;
    const base = frame * pages.pageBytes;
    let index = searchPage(pages, base, place.key, place.bytes, 1, 0);
    if (index < 0) index = ~index - 1;
    pathIndex[at] = index;
    if (at === level) break;
    if (index + 1 < slotCount(pages, base)) upper.bytes = slotKeyInto(pages, base, index + 1, false, upper.key);
    lpn = childLpnAt(pages, recordAt(pages, base, index));
  }
  return FOUND;
}

/** See the head of the file. */
export class LevelWalk {
  /** The page it stands on. */
  lpn = -1;
  frame = -1;
  readonly #tree: TreeState;
  readonly #level: number;
  readonly #place = new KeyPlace();
  readonly #upper = new KeyPlace();
  readonly #current = new KeyPlace();
  #isOver = false;

  constructor(tree: TreeState, level: number) {
    this.#tree = tree;
    this.#level = level;
  }

  /** `next` gives the same page once more. */
  stay(): void {
    this.#place.set(this.#current);
    this.#isOver = false;
  }

  /** To the next page: FOUND, END, or MISS (load `tree.missed`, call again). */
  next(): number {
    const tree = this.#tree;
    if (this.#isOver || this.#level >= tree.height) return END;
    if (descendTo(tree, this.#level, this.#place, this.#upper) === MISS) return MISS;
    this.lpn = tree.pathLpn[this.#level]!;
    this.frame = tree.pathFrame[this.#level]!;
    this.#current.set(this.#place);
    if (this.#upper.bytes < 0) this.#isOver = true;
    else moveOn(this.#place, this.#upper.key, this.#upper.bytes);
    return FOUND;
  }
}
