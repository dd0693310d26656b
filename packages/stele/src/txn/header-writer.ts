/**
 * Header writer: keeps headers.dat growing behind the durable log, off the writing thread.
 *
 * Invariants
 * - Only durable commits get a header: a header can never name a commit that a crash takes back.
 * - `through` is on the device; payload behind it may go (engine.md rule 5), payload above it never.
 *
 * Specification: spec/log-format.md, "Headers"; engine.md rule 4.
 */

import type { ThreadJob } from '../host/host.ts';
import { deriveHeadersJob, type DeriveInput, type DeriveOutput } from '../log/derive-job.ts';
import type { Core } from './core.ts';

export class HeaderWriter {
  readonly #core: Core;
  readonly #databaseId: Uint8Array;
  #running: Promise<void> | undefined;
  readonly #signal = { aborted: false };
  /** Newest commit whose header is on the device; 0 until the first look at the file. */
  through = 0;
  runs = 0;

  constructor(core: Core, databaseId: Uint8Array) {
    this.#core = core;
    this.#databaseId = databaseId;
  }

  /** Derives what became durable since. Resolves when done; errors are logged and tried again at the next call. */
  advance(): Promise<void> {
    const core = this.#core;
    if (core.durable <= this.through) return Promise.resolve();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const core = this.#core;
    const through = core.durable;
    core.segmentPins++;
    this.runs++;
    try {
      const job: ThreadJob<DeriveInput, DeriveOutput> = deriveHeadersJob;
      const output = await core.host.threads.run(job, { databaseId: this.#databaseId, through, segments: core.log.segments() }, { background: true, signal: this.#signal });
      this.through = output.through;
    } catch (error) {
      if (!this.#signal.aborted) core.settings.logger({ level: 'warn', message: `headers: ${error instanceof Error ? error.message : String(error)}` });
    } finally {
      core.segmentPins--;
    }
  }

  async stop(): Promise<void> {
    this.#signal.aborted = true;
    await this.#running;
  }
}
