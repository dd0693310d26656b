/**
 * How fast histories come in: a repository of 2,000 commits (or `--commits N`) made for it, and 20,000 events in JSON lines, each imported into
 * a directory of its own, durable at the end. Holds when the repository is in within three minutes and events come at 5,000 a second.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { importGit } from '../../src/cli/import/git.ts';
import { importJsonLines } from '../../src/cli/import/json-lines.ts';
import type { Database } from '../../src/model/types.ts';
import { open } from '../../src/node/open.ts';
import { makeLongRepository } from './git-kit.ts';

export const summary = 'how fast a git history and a history in JSON lines are imported, durable';

const SECONDS_MAX = 180;
const EVENTS_PER_SECOND_MIN = 5000;
const EVENTS = 20_000;

export async function rack(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: { commits: { type: 'string', default: '2000' }, repeat: { type: 'string', default: '3' } },
  });
  const commits = Number(values.commits);
  const below = mkdtempSync(join(tmpdir(), 'stele-import-rack-'));
  let holds = true;
  const measured = async (name: string, work: (db: Database) => Promise<number>): Promise<number> => {
    const directory = join(below, 'db');
    const begin = performance.now();
    const db = await open(directory, { durability: 'async' });
    const events = await work(db);
    await db.sync();
    const seconds = (performance.now() - begin) / 1000;
    await db.close();
    rmSync(directory, { recursive: true });
    console.log(`${name}: ${events} in ${seconds.toFixed(2)} s, ${Math.round(events / seconds)}/s`);
    return seconds;
  };
  try {
    const repository = join(below, 'repository');
    makeLongRepository(repository, commits);
    const file = join(below, 'events.jsonl');
    const line = (k: number): string =>
      JSON.stringify({
        id: `task-${k % 700}`,
        at: 1_700_000_000 + k,
        actor: `agent-${k % 50}`,
        type: 'updated',
        title: `Do ${k}`,
        text: 'x'.repeat(400),
      });
    writeFileSync(file, Array.from({ length: EVENTS }, (_, k) => `${line(k)}\n`).join(''));
    const fields = { id: 'id', time: 'at', actor: 'actor', reason: 'type' };
    for (let run = 0; run < Number(values.repeat); run++) {
      const seconds = await measured('git commits', async (db) => (await importGit(db, repository)).commits);
      holds &&= seconds <= SECONDS_MAX;
      const lines = await measured('JSON lines', async (db) => (await importJsonLines(db, file, fields)).lines);
      holds &&= EVENTS / lines >= EVENTS_PER_SECOND_MIN;
    }
  } finally {
    rmSync(below, { recursive: true });
  }
  return holds;
}
