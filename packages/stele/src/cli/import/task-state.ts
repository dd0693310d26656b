/**
 * The states of a task, from events that are not all there: unwound from what later events say of the state before them.
 *
 * Events come in lives: one begins where the task is created, or with the first event kept. In a life, the first event that carries the
 * state before it (`before`) is the anchor; without one, the final row is, for the last life; without that, nothing is known but the id.
 * From the anchor back each event is undone, and from there forward each is done.
 *
 *   events   created   label    closed   updated {before: S}   closed
 *   back        ·  <── S less ── S less ── S                              anchor S; undoing `closed` gives status open
 *   forward            label    closed   S with what it set    closed
 *
 * Invariants
 * - A state an event carries is taken as it stands, also where the events before it give another: that is counted (`unrecorded`).
 * - Pure: same events, same states.
 */

/** Fields of a task as the source names them; labels sorted. */
export type TaskState = Readonly<Record<string, unknown>>;

export interface TaskEvent {
  /** When, as a task's own fields say it. */
  readonly stamp: string;
  readonly type: string;
  readonly before?: TaskState;
  /** Fields it set. */
  readonly set?: TaskState;
  /** Of a closing. */
  readonly reason?: string;
  /** Of an added or removed label. */
  readonly label?: string;
}

export interface TaskLife {
  /** Before the first event kept; undefined when that is the creation. */
  readonly base: TaskState | undefined;
  /** Behind each event. */
  readonly states: readonly TaskState[];
  /** Events whose carried state was not what the events before them give. */
  readonly unrecorded: number;
  /** Lives of which nothing but the id is known at their beginning. */
  readonly unknown: number;
}

/** `row`: the final state, if there is one. `labels`: those at the end. */
export function unwind(id: string, events: readonly TaskEvent[], row: TaskState | undefined, labels: readonly string[]): TaskLife {
  const states: TaskState[] = [];
  let base: TaskState | undefined;
  let unrecorded = 0;
  let unknown = 0;
  for (let begin = 0; begin < events.length; ) {
    let end = begin + 1;
    while (end < events.length && events[end]!.type !== 'created') end++;
    const isCreated = events[begin]!.type === 'created';
    const first = beginningOf(id, events.slice(begin, end), end === events.length ? row : undefined);
    if (first === undefined) unknown++;
    let state = first ?? { id, status: 'open' };
    if (begin === 0 && !isCreated) base = state;
    for (let at = begin; at < end; at++) {
      const event = events[at]!;
      if (event.before !== undefined) {
        if (at > begin && !isSame(state, event.before)) unrecorded++;
        state = event.before;
      }
      state = done(state, event);
      states.push(state);
    }
    begin = end;
  }
  const labelled = withLabels(events, labels);
  return {
    base: base === undefined ? undefined : labelled(base, 0),
    states: states.map((state, at) => labelled(state, at + 1)),
    unrecorded,
    unknown,
  };
}

/** The state at the beginning of a life: behind its creation, or before its first event. */
function beginningOf(id: string, life: readonly TaskEvent[], row: TaskState | undefined): TaskState | undefined {
  const anchor = life.findIndex(({ before }) => before !== undefined);
  let state = anchor >= 0 ? life[anchor]!.before : row;
  if (state === undefined) return undefined;
  for (let at = anchor >= 0 ? anchor - 1 : life.length - 1; at >= 0; at--) state = undone(state, life[at]!);
  return { ...state, id };
}

function done(state: TaskState, { type, stamp, set, reason }: TaskEvent): TaskState {
  switch (type) {
    case 'created':
      return state;
    case 'closed':
      return { ...state, status: 'closed', closed_at: stamp, ...(reason === undefined ? {} : { close_reason: reason }), ...set };
    case 'reopened':
      return { ...reopened(state), ...set };
    default:
      return set === undefined
        ? state
        : { ...(set['status'] !== undefined && set['status'] !== 'closed' ? reopened(state) : state), ...set };
  }
}

/** What the task was before it was closed is not said: `open` is taken. */
function undone(state: TaskState, { type }: TaskEvent): TaskState {
  return type === 'closed' ? reopened(state) : state;
}

export function reopened(state: TaskState): TaskState {
  const { closed_at: _at, close_reason: _why, ...rest } = state;
  return rest['status'] === 'closed' ? { ...rest, status: 'open' } : rest;
}

/** Labels are not part of the states that events carry: they are unwound by themselves, from those at the end. */
function withLabels(events: readonly TaskEvent[], labels: readonly string[]): (state: TaskState, events: number) => TaskState {
  const sets: (readonly string[])[] = [];
  const held = new Set(labels);
  for (let at = events.length; at >= 0; at--) {
    sets[at] = [...held].sort();
    const { type, label } = events[at - 1] ?? {};
    if (label === undefined) continue;
    if (type === 'label_added') held.delete(label);
    if (type === 'label_removed') held.add(label);
  }
  return (state, done) => (sets[done]!.length === 0 ? state : { ...state, labels: sets[done] });
}

/** Fields that follow from others or that every change touches. */
const FLEETING: ReadonlySet<string> = new Set(['updated_at', 'closed_at', 'last_activity', 'labels']);

function isSame(a: TaskState, b: TaskState): boolean {
  const differs = (name: string): boolean => !FLEETING.has(name) && (a[name] ?? '') !== (b[name] ?? '');
  return !Object.keys(a).some(differs) && !Object.keys(b).some(differs);
}
