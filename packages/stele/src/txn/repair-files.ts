/**
 * The files of a repair: originals kept aside, and the way back to them.
 *
 *   unfinished.mark            "repair <n>"
 *   damaged-<n>-<name>         the file <name> as it was before repair n; stays when the repair is done
 *   repair-<n>-<stage>.kept    JSON { kept: names, created: names }: these files are aside, whole and synced
 *
 * Invariants
 * - No file is changed before its copy is whole and on the device and listed: so a repair cut anywhere can be undone, and is,
 *   when it is run again. No rename is needed.
 * - `created` files did not exist before and go when the repair is undone.
 *
 * Specification: spec/file-format.md, "Repair".
 */

import { readFully, writeAll } from '../host/files.ts';
import type { Storage } from '../host/storage.ts';
import { copyRange, type Turn } from './copy.ts';
import { clearMark, markUnfinished, readMark } from './unfinished.ts';

/** See the head of the file. */
export class RepairFiles {
  readonly number: number;
  /** Names of the copies made. */
  readonly aside: string[] = [];
  readonly #storage: Storage;
  readonly #turn: Turn;
  #stage = 0;
  #isMarked = false;

  private constructor(storage: Storage, number: number, turn: Turn) {
    this.#storage = storage;
    this.number = number;
    this.#turn = turn;
  }

  /** A new repair; what an interrupted one did is undone first. */
  static async begin(storage: Storage, turn: Turn): Promise<RepairFiles> {
    const mark = readMark(storage);
    if (mark !== undefined) {
      const interrupted = new RepairFiles(storage, Number(/^repair (\d+)$/.exec(mark)?.[1] ?? 0), turn);
      await interrupted.undo();
    }
    let number = 1;
    while (storage.list().some((name) => name.startsWith(`damaged-${number}-`))) number++;
    return new RepairFiles(storage, number, turn);
  }

  /** Where the original of a file is kept. */
  nameAside(name: string): string {
    return `damaged-${this.number}-${name}`;
  }

  /** Keeps the files aside before they are changed, removed or created. Those kept already are passed over. */
  async keep(names: readonly string[]): Promise<void> {
    const storage = this.#storage;
    const fresh = names.filter((name) => !this.aside.includes(this.nameAside(name)));
    if (!this.#isMarked) markUnfinished(storage, `repair ${this.number}`);
    this.#isMarked = true;
    const kept = fresh.filter((name) => storage.exists(name));
    for (const name of kept) {
      await this.#copy(name, this.nameAside(name), this.#turn);
      this.aside.push(this.nameAside(name));
    }
    storage.syncDirectory();
    const text = new TextEncoder().encode(JSON.stringify({ kept, created: fresh.filter((name) => !kept.includes(name)) }));
    const file = storage.open(`repair-${this.number}-${++this.#stage}.kept`, { create: true });
    try {
      file.truncate(0);
      writeAll(file, text, 0, text.length, 0);
      file.sync();
    } finally {
      file.close();
    }
    storage.syncDirectory();
  }

  /** Everything new is on the device: the mark goes, the originals stay aside. */
  finish(): void {
    if (!this.#isMarked) return;
    for (const name of this.#lists()) this.#storage.remove(name);
    clearMark(this.#storage);
    this.#isMarked = false;
  }

  /** Puts every file back as it was, and takes the mark away. */
  async undo(): Promise<void> {
    const storage = this.#storage;
    const lists = this.#lists();
    for (const list of lists) {
      const { kept, created } = this.#read(list);
      for (const name of kept) await this.#copy(this.nameAside(name), name, NEVER_CANCELLED);
      for (const name of created) storage.remove(name);
    }
    storage.syncDirectory();
    for (const list of lists) storage.remove(list);
    storage.syncDirectory();
    clearMark(storage);
    // Only now: a list that came back after a power cut would look for them.
    for (const name of storage.list()) if (name.startsWith(`damaged-${this.number}-`)) storage.remove(name);
    storage.syncDirectory();
    this.aside.length = 0;
    this.#isMarked = false;
  }

  #lists(): string[] {
    return this.#storage.list().filter((name) => name.startsWith(`repair-${this.number}-`) && name.endsWith('.kept'));
  }

  /** A list that was cut while it was written lists nothing: nothing was changed under it. */
  #read(list: string): { kept: string[]; created: string[] } {
    const file = this.#storage.open(list, { readOnly: true });
    try {
      const bytes = new Uint8Array(file.size());
      readFully(file, bytes, 0, bytes.length, 0);
      return JSON.parse(new TextDecoder().decode(bytes)) as { kept: string[]; created: string[] };
    } catch {
      return { kept: [], created: [] };
    } finally {
      file.close();
    }
  }

  async #copy(from: string, to: string, turn: Turn): Promise<void> {
    const source = this.#storage.open(from, { readOnly: true });
    try {
      const target = this.#storage.open(to, { create: true });
      try {
        target.truncate(0);
        await copyRange(source, target, 0, source.size(), turn);
        target.sync();
      } finally {
        target.close();
      }
    } finally {
      source.close();
    }
  }
}

/** The way back is gone to its end, cancelled or not. */
const NEVER_CANCELLED: Turn = async () => {};

/** The same storage, in which some names mean other files. Read only. */
export function aliased(storage: Storage, alias: (name: string) => string): Storage {
  return {
    kind: storage.kind,
    syncStyle: storage.syncStyle,
    list: () => storage.list(),
    exists: (name) => storage.exists(alias(name)),
    open: (name) => storage.open(alias(name), { readOnly: true }),
    remove: () => {},
    syncDirectory: () => {},
    lock: () => storage.lock({ shared: true }),
    close: () => {},
  };
}
