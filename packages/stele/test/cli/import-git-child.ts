/** Imports a repository and says each commit, until it is killed: see import-git-kill.test.ts. */

import { writeSync } from 'node:fs';
import { importGit } from '../../src/cli/import/git.ts';
import { open } from '../../src/node/open.ts';

const [directory, repository] = process.argv.slice(2);
const db = await open(directory!, { durability: 'async' });
await importGit(db, repository!, { progress: (done) => writeSync(1, `${done}\n`) });
writeSync(1, 'done\n');
await db.close();
