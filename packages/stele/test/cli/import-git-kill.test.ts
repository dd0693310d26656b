/**
 * An import that is killed goes on where it was: in the end every commit is the one an uninterrupted import makes.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { importGit } from '../../src/cli/import/git.ts';
import { open } from '../../src/node/open.ts';
import { everything, hasGit, makeLongRepository, scratch } from './git-kit.ts';

const child = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? 'import-git-child.ts' : 'import-git-child.js', import.meta.url));

test('killed in the middle, twice, and continued', { skip: hasGit ? false : 'no git on this machine', timeout: 60_000 }, async (t) => {
  const below = scratch(t);
  const repository = join(below, 'repository');
  const commits = 200;
  makeLongRepository(repository, commits);
  const killed = join(below, 'killed');
  let reached = 0;
  for (const killAt of [40, 90]) {
    const running = spawn(process.execPath, [child, killed, repository], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(running, 'close');
    let last = '';
    for await (const line of createInterface({ input: running.stdout })) {
      last = line;
      if (Number(line) >= killAt) running.kill('SIGKILL');
    }
    const [, signal] = await closed;
    assert.equal(signal, 'SIGKILL', `ended by itself after ${last}`);
    const db = await open(killed);
    assert.ok(db.version > reached && db.version < commits, `${db.version} commits after a kill at ${killAt}`);
    reached = db.version;
    await db.close();
  }
  const db = await open(killed, { durability: 'async' });
  const whole = await open(join(below, 'whole'), { durability: 'async' });
  const rest = await importGit(db, repository);
  assert.equal(rest.before, reached);
  await importGit(whole, repository);
  assert.equal(whole.version, commits);
  assert.deepEqual(await everything(db), await everything(whole));
  await Promise.all([db.close(), whole.close()]);
});
