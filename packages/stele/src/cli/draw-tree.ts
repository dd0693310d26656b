/**
 * A subtree as a drawing.
 *
 *   users              2 entries
 *   ├── ada            {"name":"Ada"}
 *   └── eve            1 entry
 *       └── name       "Eve"
 *
 * Lines come as the tree is walked, so that a large one can be interrupted. Invariant: no line is wider than the window.
 */

import { formatPath } from '../model/path/text.ts';
import type { Segment } from '../model/types.ts';
import type { View } from './command.ts';
import type { Output } from './output.ts';
import { preview } from './shapes.ts';
import { fitted, visible, widthOf } from './terminal.ts';

interface Bounds {
  readonly depth: number;
  /** Lines of values. */
  readonly limit: number;
}

const TURN_LINES = 64;

export async function drawTree(out: Output, view: View, path: readonly Segment[], { depth, limit }: Bounds): Promise<void> {
  let left = limit;
  let lines = 0;
  let isCut = false;

  async function node(at: readonly Segment[], lead: string, below: string, level: number): Promise<void> {
    const name = visible(at.length === 0 ? '(all)' : formatPath(level === 0 ? at : at.slice(-1)));
    const kind = view.kind(at);
    const value = kind === 'value' || kind === 'both' ? visible(preview(view.get(at))) : '';
    const entries = kind === 'value' ? 0 : view.count(at);
    const note = kind === 'value' ? '' : `${entries} ${entries === 1 ? 'entry' : 'entries'}`;
    await line(lead, name, value, note);
    if (value !== '') left--;
    if (kind === 'value' || level >= depth) return;
    const children = view.children(at)[Symbol.iterator]();
    let step = children.next();
    while (step.done !== true) {
      if (left <= 0) {
        isCut = true;
        return;
      }
      const segment = step.value;
      step = children.next();
      const isLast = step.done === true;
      await node([...at, segment], `${below}${isLast ? '└── ' : '├── '}`, `${below}${isLast ? '    ' : '│   '}`, level + 1);
    }
  }

  async function line(lead: string, name: string, value: string, note: string): Promise<void> {
    const { window, paint } = out;
    const shownLead = fitted(lead, window);
    const shownName = fitted(name, window - widthOf(shownLead));
    let room = window - widthOf(shownLead) - widthOf(shownName);
    let text = `${paint(shownLead, 'dim')}${paint(shownName, 'path')}`;
    for (const [part, style] of [
      [value, 'plain'],
      [note, 'dim'],
    ] as const) {
      if (part === '' || room < 4) continue;
      const shown = fitted(part, room - 2);
      text += `  ${paint(shown, style)}`;
      room -= 2 + widthOf(shown);
    }
    await out.line(text);
    if (++lines % TURN_LINES === 0) await out.turn();
  }

  await node(path, '', '', 0);
  if (isCut) await out.line(out.paint('… more: --limit', 'dim'));
}
