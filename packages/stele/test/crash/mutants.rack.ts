/** `npm run rack -- mutants`: builds broken on purpose, each of which the fast slice must catch. */

import { MUTANTS, runMutant } from './mutants.ts';

export const summary = 'deliberately broken builds, each of which the fast crash slice must catch';

export async function rack(args: string[]): Promise<boolean> {
  const control = await runMutant({ rule: 'control: nothing is changed', changes: [] });
  if (control.isCaught) {
    console.log(`the fast slice fails on the unchanged source: ${control.by}`);
    return false;
  }
  let survived = 0;
  for (const mutant of MUTANTS.filter(({ rule }) => args.length === 0 || args.some((word) => rule.includes(word)))) {
    const fate = await runMutant(mutant);
    if (!fate.isCaught) survived++;
    console.log(`${fate.isCaught ? 'caught  ' : 'SURVIVED'}  ${fate.rule}\n            ${fate.by}`);
  }
  console.log(`${survived} survived`);
  return survived === 0;
}
