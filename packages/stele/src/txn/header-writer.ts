/**
 * Header writer: keeps headers.dat growing behind the durable log, off the writing thread.
 *
 * Invariants
 * - Only durable commits get a header: a header can never name a commit that a crash takes back.
 * - Through `core.headersThrough` they are on the device; payload behind that may go (spec/invariants.md rule 5), payload above never.
 *   A meta names it; what is behind that is derived again after a crash.
 *
 * Specification: spec/log-format.md, "Headers"; spec/invariants.md rule 4.
 */

import { headerJob } from '../log/header-job.ts';
import type { Core } from './core.ts';
import { MISS } from './core.ts';

export class HeaderWriter {
  readonly #core: Core;
  readonly #databaseId: Uint8Array;
  #running: Promise<void> | undefined;
  readonly #signal = { aborted: false };
  runs = 0;

  constructor(core: Core, databaseId: Uint8Array) {
    this.#core = core;
    this.#databaseId = databaseId;
  }

  /**
   * Derives what became durable since. Resolves when done; errors are logged and tried again at the next call.
   * `isAsked`: somebody waits, so the process is kept alive for it.
   */
  advance(isAsked: boolean): Promise<void> {
    const core = this.#core;
    if (core.durable <= core.headersThrough) return Promise.resolve();
    this.#running ??= this.#run(isAsked).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(isAsked: boolean): Promise<void> {
    const core = this.#core;
    const { log } = core;
    const fromCommit = core.headersThrough + 1;
    const throughCommit = core.durable;
    const through = { segment: log.durableSegment, offset: log.durableOffset };
    while (core.locate(fromCommit) === MISS) core.fill();
    const from = { segment: core.index.segment, offset: core.index.offset };
    core.segmentPins++;
    this.runs++;
    try {
      const output = await core.host.threads.run(
        headerJob,
        { databaseId: this.#databaseId, fromCommit, from, throughCommit, through },
        { background: !isAsked, signal: this.#signal },
      );
      core.headersThrough = output.throughCommit;
    } catch (error) {
      if (!this.#signal.aborted)
        core.settings.logger({ level: 'warn', message: `headers: ${error instanceof Error ? error.message : String(error)}` });
    } finally {
      core.segmentPins--;
    }
  }

  /** Ends the run under way at its next safe point. */
  cancel(): void {
    this.#signal.aborted = true;
  }

  async stop(): Promise<void> {
    this.#signal.aborted = true;
    await this.#running;
  }
}
