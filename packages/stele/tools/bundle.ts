/**
 * Makes dist/quick.cjs: src/cli/quick.ts and what it imports in one file, without what it does not use. Run by `npm run build`.
 *
 * Loading 35 modules one by one takes longer than everything they do. node:crypto is fetched when one of its functions is called: loading it takes
 * longer than all the rest, and reading needs none of it.
 */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const place = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

const lazyCrypto: Plugin = {
  name: 'lazy node:crypto',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:crypto$/ }, ({ kind }) => (kind === 'import-statement' ? { path: 'crypto', namespace: 'lazy' } : null));
    onLoad({ filter: /^crypto$/, namespace: 'lazy' }, () => ({
      contents: `export const randomBytes = (bytes) => require('node:crypto').randomBytes(bytes);`,
    }));
  },
};

/** The text of the file. Any other function of node:crypto than those above stops the build. */
export async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [place('src/cli/quick.ts')],
    bundle: true,
    write: false,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22.13',
    logLevel: 'error',
    plugins: [lazyCrypto],
  });
  return outputFiles[0]!.text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(place('dist/quick.cjs'), await bundle());
