/** The process of one engine in one row: does what the parent says, one message at a time. */

import type { RivalName } from './rival.ts';
import type { Settings } from './row.ts';
import { rows } from './rows.ts';
import { ensureLoaded, Session } from './session.ts';

export type Order =
  | { readonly what: 'load'; readonly engine: RivalName; readonly settings: Settings; readonly root: string }
  | { readonly what: 'begin'; readonly row: string; readonly engine: RivalName; readonly settings: Settings; readonly root: string }
  | { readonly what: 'round'; readonly round: number }
  | { readonly what: 'end' };

export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

let session: Session | undefined;

async function obey(order: Order): Promise<unknown> {
  switch (order.what) {
    case 'load':
      return ensureLoaded(order.engine, order.settings, order.root);
    case 'begin': {
      const row = rows.find((row) => row.name === order.row);
      if (row === undefined) throw new Error(`no row ${order.row}`);
      session = await Session.begin({ row, engine: order.engine, settings: order.settings, root: order.root });
      return session.settingsText;
    }
    case 'round':
      return session?.round(order.round);
    case 'end':
      return session?.end();
  }
}

process.on('message', async (order: Order) => {
  let answer: Answer;
  try {
    answer = { ok: true, value: await obey(order) };
  } catch (error) {
    answer = { ok: false, error: error instanceof Error ? `${error.name}: ${error.message}${codeOf(error)}` : String(error) };
  }
  process.send!(answer);
});
process.once('disconnect', () => process.exit(0));

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
}
