/**
 * Progress of long work: how far, how fast, how long yet.
 *
 *   import   1,204 of 2,000 commits   60 %   4,100/s   0:01 left
 *
 * On a terminal one line that is written over and never wraps; elsewhere a plain line every few seconds, so that a short run in a pipe
 * prints none. It goes to the standard error stream: what a command answers stays clean.
 *
 * Invariants
 * - `end()` leaves no half line behind, and is called on every way out.
 * - The rate is of this run: what an earlier run had done (`from`) is not counted.
 */

/** What is needed of a stream. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** What is done, in one word: `import`. */
  readonly label: string;
  /** What is counted, in the plural: `commits`. `bytes` are shown as MB. */
  readonly unit: string;
  readonly total?: number | undefined;
  /** Done before this run. */
  readonly from?: number;
  /** Default: the standard error stream. */
  readonly out?: ProgressOutput;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

export interface Progress {
  at(done: number, total?: number): void;
  /** Takes the line away. Idempotent. */
  end(): void;
}

/** Of a terminal that does not say, or says 0. */
const COLUMNS_DEFAULT = 80;
const TERMINAL_MS = 100;
const PIPE_MS = 5000;
/** A rate measured over less is noise. */
const RATE_MS_MIN = 300;

export function showProgress(options: ProgressOptions): Progress {
  const { label, unit, from = 0, out = process.stderr, now = () => performance.now() } = options;
  const isTerminal = out.isTTY === true && process.env['TERM'] !== 'dumb';
  const begin = now();
  let shownAt = isTerminal ? Number.NEGATIVE_INFINITY : begin;
  let total = options.total;
  let isShown = false;
  let isOver = false;
  return {
    at(done, newTotal) {
      if (newTotal !== undefined) total = newTotal;
      const time = now();
      if (isOver || time - shownAt < (isTerminal ? TERMINAL_MS : PIPE_MS)) return;
      shownAt = time;
      const line = progressLine({ label, unit, done, total, from, ms: time - begin });
      if (!isTerminal) out.write(`${line}\n`);
      else out.write(`\r${line.slice(0, (out.columns || COLUMNS_DEFAULT) - 1)}\x1b[K`);
      isShown = true;
    },
    end() {
      if (isShown && isTerminal && !isOver) out.write('\r\x1b[K');
      isOver = true;
    },
  };
}

interface Standing {
  readonly label: string;
  readonly unit: string;
  readonly done: number;
  readonly total: number | undefined;
  readonly from: number;
  readonly ms: number;
}

export function progressLine({ label, unit, done, total, from, ms }: Standing): string {
  const isBytes = unit === 'bytes';
  const amount = (n: number): string => (isBytes ? megabytes(n) : count(n));
  const of = total === undefined ? amount(done) : `${amount(done)} of ${amount(total)}`;
  const parts = [label, isBytes ? of : `${of} ${unit}`];
  if (total !== undefined && total > 0) parts.push(`${Math.min(100, Math.floor((100 * done) / total))} %`);
  if (ms >= RATE_MS_MIN && done > from) {
    const perSecond = ((done - from) / ms) * 1000;
    parts.push(`${isBytes ? megabytes(perSecond) : count(Math.round(perSecond))}/s`);
    if (total !== undefined && total > done) parts.push(`${duration((total - done) / perSecond)} left`);
  }
  return parts.join('   ');
}

/** `12,345`. */
export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** `4.1 MB`; always MB, so that the column does not jump. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `1:02:03`, `0:09`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
