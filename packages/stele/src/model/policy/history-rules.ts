/**
 * From declared histories to the retention rules of the engine.
 *
 * A rule of the engine is a prefix of bytes; a subtree is the keys in [P, P ++ 0xFF). What begins with P ++ 0xFF belongs to another path, so
 * where P keeps less than what is around it, a rule for P ++ 0xFF gives it back. The entries of a maintainer follow the subtree it is
 * declared at, and the catalog is kept as long as any data, so that older views find the policies and indexes of their time.
 *
 * What is declared gets a rule also where it says the same as what is around it: the database's own history may be given anew at an opening, and is in
 * force there before anything here is read.
 *
 * Specification: spec/policies.md, "History".
 */

import { compareBytes } from '../../base/bytes.ts';
import { SteleError } from '../../base/errors.ts';
import type { RetentionRules } from '../../txn/types.ts';
import { derivedHead } from '../index/derived-key.ts';
import { behind } from '../place.ts';
import type { DeclaredSubtree } from './catalog.ts';
import { isWithin } from './effective.ts';
import { catalogKey, maintainersKey } from './system-keys.ts';

/** Of the engine. */
const RULES_MAX = 10_000;
const EVERYTHING = new Uint8Array(0);

/** The rules for what is declared. `databaseMs` is the history of the database itself. Cost: O(subtrees), those around one apart. */
export function historyRules(subtrees: Iterable<DeclaredSubtree>, databaseMs: number): RetentionRules {
  const sorted = [...subtrees].sort((a, b) => compare(a.prefix, b.prefix));
  const rules: { prefix: Uint8Array; historyMs: number }[] = [{ prefix: EVERYTHING, historyMs: databaseMs }];
  const around: { readonly prefix: Uint8Array; readonly historyMs: number; readonly isDeclared: boolean }[] = [];
  let longestMs = databaseMs;
  for (const { prefix, declared, maintainers } of sorted) {
    while (around.length > 0 && !isWithin(prefix, prefix.length, around.at(-1)!.prefix)) around.pop();
    const aroundMs = around.at(-1)?.historyMs ?? databaseMs;
    const historyMs = declared.history ?? aroundMs;
    const isDeclared = declared.history !== undefined || around.at(-1)?.isDeclared === true;
    around.push({ prefix, historyMs, isDeclared });
    longestMs = Math.max(longestMs, historyMs);
    if (declared.history !== undefined) rules.push({ prefix, historyMs });
    if (historyMs < aroundMs && prefix.length > 1) rules.push({ prefix: behind(prefix), historyMs: aroundMs });
    if (isDeclared) for (const { id } of maintainers) rules.push({ prefix: derivedHead(id), historyMs });
  }
  if (rules.length > 1) for (const key of [catalogKey(), maintainersKey()]) rules.push({ prefix: key, historyMs: longestMs });
  return { rules: rules.sort((a, b) => compare(a.prefix, b.prefix)) };
}

/** @throws {SteleError} `invalid` RETENTION_RULES: what the engine would refuse, before anything is written */
export function checkHistoryRules({ rules }: RetentionRules, logRetentionMs: number | undefined): void {
  if (rules.length > RULES_MAX)
    throw new SteleError(
      'invalid',
      'RETENTION_RULES',
      `policy: history makes ${rules.length} retention rules, expected at most ${RULES_MAX}`,
    );
  const longestMs = rules.reduce((longest, { historyMs }) => Math.max(longest, historyMs), 0);
  if (logRetentionMs !== undefined && longestMs > logRetentionMs)
    throw new SteleError(
      'invalid',
      'RETENTION_RULES',
      `policy: history of ${longestMs} ms, expected at most the logRetention the database was opened with, ${logRetentionMs} ms`,
    );
}

export function sameRules(a: RetentionRules, b: RetentionRules): boolean {
  return (
    a.rules.length === b.rules.length &&
    a.rules.every((rule, at) => rule.historyMs === b.rules[at]!.historyMs && compare(rule.prefix, b.rules[at]!.prefix) === 0)
  );
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
