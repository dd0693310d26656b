/**
 * The way back from a dump (dump-format.ts): its entries, or its commits, into a database.
 *
 * Entries overwrite what is at their paths and leave the rest; asked again, it comes to the same. Commits go into an empty database only: each
 * becomes a commit with its actor, its reason and, as asserted time, when it was asserted or else recorded. (Recorded times are the clock's; they
 * cannot be given.) In the end the digest of the database is held against that of the dump.
 *
 * Invariants
 * - A dump that was cut is told: it has no last line.
 * - An entry has the expiry it had, and none when it had none, whatever the policies say.
 */

import { SteleError } from '../base/errors.ts';
import { parsePath } from '../model/path/text.ts';
import type { BatchOperation, Database, Value } from '../model/types.ts';
import { DUMP_FORMAT, type DumpEnd, type DumpHead, declaredPolicies, digestOf, policyFrom } from './dump-format.ts';
import { Pipeline } from './import/pipeline.ts';
import { fromJson } from './value-json.ts';

export interface DumpImport {
  readonly head: DumpHead;
  readonly end: DumpEnd;
  readonly entries: number;
  readonly commits: number;
  readonly policies: number;
  /** Commits of the dump that held nothing to write again: declarations of policies, which are declared at the end. */
  readonly empty: number;
  readonly digest: string;
  readonly isSame: boolean;
  /** Why the digests may differ although nothing is wrong. */
  readonly wasEmpty: boolean;
  readonly expired: number;
}

interface Line {
  readonly text: string;
  readonly number: number;
}

const BATCH_OPERATIONS = 1000;
const COMMIT_OPERATIONS_MAX = 100_000;
const BATCH_CHARACTERS = 4 * 1024 * 1024;

type Json = Readonly<Record<string, unknown>>;

export async function importDump(
  database: Database,
  chunks: AsyncIterable<string | Uint8Array>,
  turn: (done: number, total: number | undefined) => Promise<void>,
): Promise<DumpImport> {
  const lines = linesOf(chunks);
  const first = await lines.next();
  const head = headOf(first.value?.text);
  const wasEmpty = database.count() === 0 && declaredPolicies(database).length === 0;
  if (head.history && (!wasEmpty || database.version > 0))
    throw new SteleError(
      'invalid',
      'TARGET_NOT_EMPTY',
      `a dump with history goes into an empty database, this one is at version ${database.version}`,
    );
  const total = typeof head.total === 'number' ? head.total : undefined;
  const into = new DumpTarget(database, head.history);
  let end: DumpEnd | undefined;
  let last = 1;
  try {
    for await (const line of lines) {
      last = line.number;
      if (end !== undefined) throw refused(line, 'a line behind the end');
      const json = parsed(line);
      if (json['end'] === true) end = json as unknown as DumpEnd;
      else await into.take(json, line);
      if (line.number % BATCH_OPERATIONS === 0) await turn(into.done, total);
    }
  } finally {
    await into.drain();
  }
  if (end === undefined)
    throw new SteleError(
      'invalid',
      'SOURCE_INVALID',
      `the dump is cut: it ends behind line ${last} without its last line; ${into.done} ${head.history ? 'commits' : 'entries'} of it were imported`,
    );
  into.declare();
  await database.sync();
  const { digest } = await digestOf(database, () => turn(into.done, total));
  return { head, end, ...into.tally(), digest, isSame: digest === end.digest, wasEmpty };
}

class DumpTarget {
  readonly #database: Database;
  readonly #hasHistory: boolean;
  readonly #pipeline = new Pipeline();
  readonly #policies: Json[] = [];
  #operations: BatchOperation[] = [];
  #characters = 0;
  #entries = 0;
  #commits = 0;
  #empty = 0;
  #expired = 0;
  #declared = 0;

  constructor(database: Database, hasHistory: boolean) {
    this.#database = database;
    this.#hasHistory = hasHistory;
  }

  get done(): number {
    return this.#hasHistory ? this.#commits : this.#entries;
  }

  tally(): { entries: number; commits: number; policies: number; empty: number; expired: number } {
    return { entries: this.#entries, commits: this.#commits, policies: this.#declared, empty: this.#empty, expired: this.#expired };
  }

  async take(json: Json, line: Line): Promise<void> {
    if (typeof json['policy'] === 'string') {
      this.#policies.push(json);
      // Before the entries, so that indexes grow with them. History may not keep to today's rules: then at the end.
      if (!this.#hasHistory) this.declare();
    } else if (this.#hasHistory && Array.isArray(json['ops'])) await this.#commit(json, line);
    else if (!this.#hasHistory && typeof json['path'] === 'string') await this.#entry(json, line);
    else throw refused(line, 'neither an entry, a commit nor a policy');
  }

  declare(): void {
    for (const json of this.#policies.splice(0)) {
      this.#database.subtree(parsePath(json['policy'] as string), policyFrom((json['declared'] ?? {}) as Json));
      this.#declared++;
    }
  }

  async #entry(json: Json, line: Line): Promise<void> {
    this.#operations.push(this.#put(json, line));
    this.#characters += line.text.length;
    this.#entries++;
    if (this.#operations.length < BATCH_OPERATIONS && this.#characters < BATCH_CHARACTERS) return;
    await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#operations.length === 0) return;
    const operations = this.#operations;
    const characters = this.#characters;
    this.#operations = [];
    this.#characters = 0;
    await this.#pipeline.push(this.#database.batch(operations), characters);
  }

  async #commit(json: Json, line: Line): Promise<void> {
    const ops = json['ops'] as Json[];
    if (ops.length === 0) {
      this.#empty++;
      return;
    }
    const { actor, reason } = json as { actor?: string; reason?: string };
    const asserted = new Date((json['assertedTime'] ?? json['time']) as string);
    if (Number.isNaN(asserted.getTime())) throw refused(line, 'a commit without a time');
    const operations = ops.map(
      (op): BatchOperation => (op['type'] === 'delete' ? { type: 'delete', path: parsePath(op['path'] as string) } : this.#put(op, line)),
    );
    const options = { assertedTime: asserted, ...(actor === undefined ? {} : { actor }), ...(reason === undefined ? {} : { reason }) };
    for (let at = 0; at < operations.length; at += COMMIT_OPERATIONS_MAX)
      await this.#pipeline.push(this.#database.batch(operations.slice(at, at + COMMIT_OPERATIONS_MAX), options), line.text.length);
    this.#commits++;
  }

  #put(json: Json, line: Line): BatchOperation {
    try {
      const path = parsePath(json['path'] as string);
      const value: Value = fromJson(json['value'] as Parameters<typeof fromJson>[0]);
      if (json['expiresAt'] === undefined) return { type: 'put', path, value, ttl: Number.POSITIVE_INFINITY };
      const expiresAt = new Date(json['expiresAt'] as string);
      if (expiresAt.getTime() <= Date.now()) this.#expired++;
      return { type: 'put', path, value, expiresAt };
    } catch (error) {
      throw refused(line, (error as Error).message, error);
    }
  }

  async drain(): Promise<void> {
    await this.#flush();
    await this.#pipeline.drain();
  }
}

function headOf(text: string | undefined): DumpHead {
  const expected = 'expected a dump, which begins with {"stele":"dump",…}';
  if (text === undefined) throw new SteleError('invalid', 'SOURCE_INVALID', `found nothing, ${expected}`);
  let head: Json;
  try {
    head = JSON.parse(text) as Json;
  } catch (error) {
    throw new SteleError('invalid', 'SOURCE_INVALID', `line 1 is no JSON, ${expected}`, { cause: error });
  }
  if (head?.['stele'] !== 'dump') throw new SteleError('invalid', 'SOURCE_INVALID', `line 1 is something else, ${expected}`);
  const format = head['format'];
  if (typeof format !== 'number' || format > DUMP_FORMAT)
    throw new SteleError('invalid', 'FORMAT_NEWER', `the dump has format ${String(format)}, this version reads ${DUMP_FORMAT}`);
  return head as unknown as DumpHead;
}

function parsed(line: Line): Json {
  try {
    const json: unknown = JSON.parse(line.text);
    if (typeof json === 'object' && json !== null) return json as Json;
  } catch (error) {
    throw refused(line, 'no JSON', error);
  }
  throw refused(line, 'no object');
}

function refused({ number }: Line, found: string, cause?: unknown): SteleError {
  return new SteleError('invalid', 'SOURCE_INVALID', `the dump, line ${number}: found ${found}`, { cause, detail: { line: number } });
}

async function* linesOf(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<Line, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let number = 0;
  for await (const chunk of chunks) {
    const pieces = (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })).split('\n');
    pieces[0] = rest + pieces[0]!;
    rest = pieces.pop()!;
    for (const text of pieces) yield { text, number: ++number };
  }
  rest += decoder.decode();
  if (rest !== '') yield { text: rest, number: ++number };
  return undefined;
}
