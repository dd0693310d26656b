/** The command from its sources, as a process: what bin/stele.cjs is to the build. */

import { enableCompileCache } from 'node:module';

enableCompileCache();
const { main } = await import('../../src/cli/main.ts');
await main(process.argv.slice(2));
