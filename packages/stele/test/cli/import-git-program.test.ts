import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { askGit, gitHolds, streamGit } from '../../src/cli/import/git-program.ts';
import { hasGit, makeRepository, scratch } from './git-kit.ts';

const options = { skip: hasGit ? false : 'no git on this machine', timeout: 20_000 };

test('what a program said before it ended is there for whoever reads later', options, async () => {
  // Story: two programs are read side by side; one had ended before the first read, Node had read its answer away, and an import
  // of a short history said that git had left out a commit.
  await using stream = streamGit('.', ['version']);
  await later(200);
  let text = '';
  for await (const chunk of stream.stdout) text += String(chunk);
  assert.match(text, /^git version/);
  await stream.ended();
});

test('a program that fails says why, in one sentence and with its exit code', options, async (t) => {
  const { directory } = makeRepository(scratch(t));
  await assert.rejects(askGit(directory, ['no-such-command']), {
    code: 'SOURCE_INVALID',
    message: /^git no-such-command in .*: git: 'no-such-command' is not a git command/,
    detail: { exitCode: 1, directory },
  });
  await using stream = streamGit(directory, ['cat-file', 'blob', 'nothing']);
  await assert.rejects(stream.ended(), { code: 'SOURCE_INVALID', message: /Not a valid object name/ });
  assert.equal(await gitHolds(directory, ['version']), true);
  assert.equal(await gitHolds(directory, ['cat-file', '-e', 'nothing']), false);
});

test('a reader that stops ends the program', options, async (t) => {
  const stream = streamGit(makeRepository(scratch(t)).directory, ['cat-file', '--batch']); // would wait for ever
  const closed = once(stream.stdout, 'close');
  await stream[Symbol.asyncDispose]();
  await closed;
});
