import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../base/errors.ts';
import { appendToSpine, decodeSpine, growSpine, SPINE_BYTES_MAX, SpineAnswer, searchSpine, type VersionAddress } from './spine.ts';

interface Version extends VersionAddress {
  readonly table: Uint8Array | undefined;
}

/** A chain of versions with every table kept, as the log would. */
function buildChain(
  depth: number,
  address: (at: number) => VersionAddress,
): { versions: Version[]; spine: Uint8Array; fast: number; restarts: number } {
  const versions: Version[] = [{ ...address(0), table: undefined }];
  let spine: Uint8Array | undefined;
  let fast = 0;
  let restarts = 0;
  const scratch = new Uint8Array(SPINE_BYTES_MAX);
  for (let at = 1; at < depth; at++) {
    const old = versions[at - 1]!;
    const grown = growSpine(spine, old);
    if (spine !== undefined) {
      const bytes = appendToSpine(spine, 0, spine.length, old, scratch);
      if (bytes > 0) {
        fast++;
        assert.deepEqual(scratch.slice(0, bytes), grown.spine, `the fast path of version ${at} differs`);
      }
    }
    if (grown.table !== undefined && grown.table[0] === 2) restarts++;
    assert.ok(grown.spine.length <= SPINE_BYTES_MAX);
    spine = grown.spine;
    versions.push({ ...address(at), table: grown.table });
  }
  return { versions, spine: spine!, fast, restarts };
}

const maps = new WeakMap<object, Map<number, Version>>();

function commitsOf(chain: { versions: Version[] }): Map<number, Version> {
  let map = maps.get(chain);
  if (map === undefined) {
    map = new Map(chain.versions.map((version) => [version.addressCommit, version]));
    maps.set(chain, map);
  }
  return map;
}

/** Follows the search to the end, hops included; counts reads. */
function find(chain: { versions: Version[]; spine: Uint8Array }, commit: number): { commit: number; reads: number } {
  let reads = 0;
  const current = chain.versions.at(-1)!;
  const byAddress = commitsOf(chain);
  const readTable = (addressCommit: number) => {
    reads++;
    const bytes = byAddress.get(addressCommit)!.table ?? new Uint8Array(0);
    return { bytes, tableStart: 0, tableEnd: bytes.length };
  };
  const answer = searchSpine(chain.spine, 0, chain.spine.length, current.commit, current.ordinal, commit, readTable, new SpineAnswer());
  assert.ok(answer !== undefined);
  const found = answer.addressCommit === current.commit ? current : byAddress.get(answer.addressCommit)!;
  if (answer.isExact) return { commit: found.commit, reads };
  let at = chain.versions.findIndex((version) => version.commit === found.commit);
  while (at >= 0 && chain.versions[at]!.commit > commit) {
    at--;
    reads++;
  }
  return { commit: at < 0 ? 0 : chain.versions[at]!.commit, reads };
}

for (const depth of [2, 3, 31, 32, 33, 34, 64, 65, 1023, 1024, 1025, 1056, 1057, 5000, 40_000]) {
  test(`a chain of ${depth} versions gives the newest version at or before every commit`, () => {
    const chain = buildChain(depth, (at) => ({ commit: at * 3 + 5, addressCommit: at * 3 + 5, ordinal: at % 7, carried: false }));
    let worst = 0;
    const newest = (depth - 1) * 3 + 5;
    const step = depth > 2000 ? 997 : 1;
    for (let commit = 0; commit < newest; commit += step) {
      const expected = commit < 5 ? 0 : Math.floor((commit - 5) / 3) * 3 + 5;
      const found = find(chain, commit);
      assert.equal(found.commit, expected, `as of ${commit}`);
      if (commit >= 5) worst = Math.max(worst, found.reads);
    }
    assert.ok(worst <= Math.ceil(Math.log(depth) / Math.log(32)) + 2, `${worst} reads at depth ${depth}`);
  });
}

test('carried versions and far ordinals outgrow the limit, and the saved spine still answers', () => {
  const chain = buildChain(12_000, (at) => ({
    commit: at * 700_000_000 + 9,
    addressCommit: at * 700_000_000 + 9 + 600_000_000,
    ordinal: 3_000_000_000 + at,
    carried: true,
  }));
  assert.ok(chain.restarts > 0, 'no spine was saved: the test does not reach what it is for');
  for (let at = 0; at < 11_999; at += 131) assert.equal(find(chain, at * 700_000_000 + 10).commit, at * 700_000_000 + 9);
});

test('the fast path serves most appends', () => {
  const chain = buildChain(2000, (at) => ({ commit: at + 1, addressCommit: at + 1, ordinal: 0, carried: false }));
  assert.ok(chain.fast > 1700, `${chain.fast} of 2000`);
});

test('damaged spine bytes are a typed error or a decoded spine, never a hang', () => {
  const { spine } = buildChain(1500, (at) => ({ commit: at + 1, addressCommit: at + 1, ordinal: 0, carried: false }));
  for (let at = 0; at < spine.length; at++) {
    for (const bit of [1, 16, 128]) {
      const torn = spine.slice();
      torn[at]! ^= bit;
      for (const bytes of [torn, torn.subarray(0, at)]) {
        try {
          decodeSpine(bytes, 0, bytes.length);
        } catch (error) {
          assert.ok(error instanceof SteleError && error.code === 'SPINE_DAMAGED', String(error));
        }
      }
    }
  }
});
