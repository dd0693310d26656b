/**
 * Completion: verbs in front, then paths from the live tree, with how much lies below each.
 *
 * Cost: one descent for each child that is shown, whatever lies below it; at most {@link SHOWN_MAX} are looked for.
 */

import { formatPath, formatSegment, parsePath } from '../../model/path/text.ts';
import type { Segment } from '../../model/types.ts';
import type { View } from '../command.ts';

export interface Candidate {
  /** What the word becomes. */
  readonly text: string;
  readonly count: number;
  readonly isTree: boolean;
}

export interface Completion {
  /** What is completed: the end of the line. */
  readonly word: string;
  readonly candidates: readonly Candidate[];
  /** There are more than were looked for. */
  readonly isMore: boolean;
}

export const SHOWN_MAX = 40;
/** Children looked at to find those that begin so, where they cannot be sought. */
const LOOKED_MAX = 2000;

/** Candidates for the last word of a line. */
export function completePath(view: View, word: string): Completion {
  const slash = lastSlash(word);
  const parentText = slash < 0 ? '' : word.slice(0, slash);
  const begin = word.slice(slash + 1);
  let parent: Segment[];
  try {
    parent = parsePath(parentText);
  } catch {
    return { word, candidates: [], isMore: false };
  }
  const candidates: Candidate[] = [];
  for (const segment of childrenFrom(view, parent, begin)) {
    const path = [...parent, segment];
    const text = formatPath(path);
    if (!formatPath([segment]).startsWith(begin)) continue;
    if (candidates.length === SHOWN_MAX) return { word, candidates, isMore: true };
    const kind = view.kind(path);
    candidates.push({ text, count: view.count(path), isTree: kind !== 'value' });
  }
  return { word, candidates, isMore: false };
}

/** Children that may begin so, in order. Plain text is sought; `#…`, `0x…` and what has escapes is looked for among the first. */
function* childrenFrom(view: View, parent: readonly Segment[], begin: string): Generator<Segment> {
  if (!/^[^\\#]/.test(begin) || begin.startsWith('0x')) {
    let looked = 0;
    for (const segment of view.children(parent)) {
      if (looked++ === LOOKED_MAX) return;
      yield segment;
    }
    return;
  }
  const first = view.scan({ prefix: parent, start: [...parent, begin], values: false, limit: 1 }).toArray()[0];
  if (first === undefined) return;
  const segment = first.path[parent.length]!;
  yield segment;
  for (const next of view.children(parent, { after: segment })) {
    if (!formatSegment(next).startsWith(begin)) return;
    yield next;
  }
}

/** The last `/` that separates: not one behind a `\`. */
function lastSlash(word: string): number {
  let found = -1;
  for (let at = 0; at < word.length; at++) {
    if (word[at] === '\\') at++;
    else if (word[at] === '/') found = at;
  }
  return found;
}

/** What all candidates begin with. */
export function commonBeginning(texts: readonly string[]): string {
  let common = texts[0] ?? '';
  for (const text of texts) while (!text.startsWith(common)) common = common.slice(0, -1);
  return common;
}
