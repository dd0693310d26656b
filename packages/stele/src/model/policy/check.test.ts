import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../../base/errors.ts';
import { checkPolicy, POLICY_MS_MAX } from './check.ts';

const refusal = (policy: unknown): string => {
  try {
    checkPolicy(policy);
  } catch (error) {
    if (error instanceof SteleError) return `${error.kind} ${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

test('every member of a policy is checked, and says what was found and what is expected', () => {
  const cases: readonly [unknown, RegExp][] = [
    [undefined, /OPTION_INVALID: policy: found undefined, expected an object/],
    [[], /OPTION_INVALID: policy: found an array/],
    [{ tll: 1 }, /OPTION_INVALID: policy: found the unknown member tll, expected one of ttl, history, durability, index/],
    [{ ttl: 0 }, /OPTION_INVALID: policy: ttl: found 0, expected a positive number/],
    [{ ttl: Number.NaN }, /ttl: found NaN/],
    [{ ttl: '5' }, /ttl: found the text "5"/],
    [{ ttl: POLICY_MS_MAX + 1 }, /ttl: found/],
    [{ history: -1 }, /history: found -1, expected a number of ms from 0/],
    [{ durability: 'fast' }, /durability: found the text "fast", expected 'immediate'/],
    [{ index: [] }, /index: found an array/],
    [{ index: { '': ['a'] } }, /a name of 0 characters, expected 1 to 100/],
    [{ index: { a: 'email' } }, /index "a": found the text "email", expected an array of fields/],
    [{ index: { a: [] } }, /index "a": fields: found 0 fields, expected 1 to 16/],
    [{ index: { a: Array.from({ length: 17 }, (_, at) => [at]) } }, /found 17 fields/],
    [{ index: { a: ['x', ['x']] } }, /found field 2 twice/],
    [{ index: { a: { fields: ['x'], uniq: true } } }, /the unknown member uniq, expected fields, unique/],
    [{ index: { a: { fields: ['x'], unique: 1 } } }, /unique: found 1, expected true or false/],
    [{ index: { a: { unique: true } } }, /fields: found undefined/],
    [{ index: { a: ['x//y'] } }, /PATH_INVALID/],
    [{ index: { a: [5] } }, /PATH_INVALID/],
    [{ index: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`i${at}`, ['x']])) }, /found 33 indexes, expected at most 32/],
  ];
  for (const [policy, expected] of cases) assert.match(refusal(policy), expected);
});

test('members that are decided and not built yet are refused by name, never ignored', () => {
  for (const name of ['worm', 'retention', 'legalHold', 'audit', 'merge', 'quorum', 'encryption'])
    assert.match(refusal({ [name]: undefined }), new RegExp(`^invalid FEATURE_MISSING: policy: ${name} is not supported yet`));
});

test('a policy is kept with the members that were given, and undefined members say nothing', () => {
  const forEver = Number.POSITIVE_INFINITY;
  assert.deepEqual(checkPolicy({}), { declared: {}, indexes: [] });
  assert.deepEqual(checkPolicy({ ttl: forEver, history: 0, durability: 'async' }).declared, {
    ttl: forEver,
    history: 0,
    durability: 'async',
  });
  assert.deepEqual(checkPolicy({ ttl: undefined, history: forEver }).declared, { history: forEver });
});
