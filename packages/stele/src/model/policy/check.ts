/**
 * What is given as a policy, checked: every member is understood, or refused with what was found and what is expected.
 *
 * Limits: 32 indexes a subtree; see index/definition.ts for theirs.
 *
 * Specification: spec/policies.md, "Members".
 */

import { SteleError } from '../../base/errors.ts';
import type { Durability } from '../../txn/types.ts';
import { checkIndex, type IndexDeclaration } from '../index/definition.ts';
import { describe } from '../path/layout.ts';

/** A policy as it is kept. Absent members say nothing. */
export interface Declared {
  /** ms, Infinity = for ever. */
  readonly ttl?: number;
  readonly history?: number;
  readonly durability?: Durability;
}

export interface CheckedPolicy {
  readonly declared: Declared;
  readonly indexes: readonly IndexDeclaration[];
}

/** Longest ttl and history that is a number of ms and not Infinity: that of the engine's times. */
export const POLICY_MS_MAX: number = 2 ** 47;
const INDEXES_MAX = 32;
const KNOWN: readonly string[] = ['ttl', 'history', 'durability', 'index'];
/** Decided, and not there yet. */
const COMING: readonly string[] = ['worm', 'retention', 'legalHold', 'audit', 'merge', 'quorum', 'encryption'];
const DURABILITIES: readonly unknown[] = ['immediate', 'debounced', 'async'];

/** @throws {SteleError} `invalid` FEATURE_MISSING, OPTION_INVALID, PATH_INVALID */
export function checkPolicy(policy: unknown): CheckedPolicy {
  if (typeof policy !== 'object' || policy === null || Array.isArray(policy))
    throw refuse('policy', describe(policy), `an object with any of ${KNOWN.join(', ')}`);
  for (const name of Object.keys(policy)) {
    if (COMING.includes(name))
      throw new SteleError('invalid', 'FEATURE_MISSING', `policy: ${name} is not supported yet`, { detail: { feature: name } });
    if (!KNOWN.includes(name)) throw refuse('policy', `the unknown member ${name}`, `one of ${KNOWN.join(', ')}`);
  }
  const { ttl, history, durability, index } = policy as Record<string, unknown>;
  if (ttl !== undefined && !(isMs(ttl) && ttl > 0))
    throw refuse('policy: ttl', describe(ttl), 'a positive number of ms up to 2^47, or Infinity');
  if (history !== undefined && !isMs(history))
    throw refuse('policy: history', describe(history), 'a number of ms from 0 to 2^47, or Infinity');
  if (durability !== undefined && !DURABILITIES.includes(durability))
    throw refuse('policy: durability', describe(durability), "'immediate', 'debounced' or 'async'");
  return {
    declared: {
      ...(ttl === undefined ? {} : { ttl: ttl as number }),
      ...(history === undefined ? {} : { history: history as number }),
      ...(durability === undefined ? {} : { durability: durability as Durability }),
    },
    indexes: index === undefined ? [] : checkIndexes(index),
  };
}

function checkIndexes(index: unknown): IndexDeclaration[] {
  if (typeof index !== 'object' || index === null || Array.isArray(index))
    throw refuse('policy: index', describe(index), 'an object with a definition for each name');
  const names = Object.keys(index);
  if (names.length > INDEXES_MAX) throw refuse('policy: index', `${names.length} indexes`, `at most ${INDEXES_MAX}`);
  return names.sort().map((name) => checkIndex(name, (index as Record<string, unknown>)[name]));
}

function isMs(given: unknown): given is number {
  return typeof given === 'number' && given >= 0 && (given <= POLICY_MS_MAX || given === Number.POSITIVE_INFINITY);
}

function refuse(option: string, found: string, expected: string): SteleError {
  return new SteleError('invalid', 'OPTION_INVALID', `${option}: found ${found}, expected ${expected}`, { detail: { option } });
}
