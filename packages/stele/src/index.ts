/** The public door of the package: re-exports only. */
export { type ErrorKind, SteleError } from './base/errors.ts';
export type { Host } from './host/host.ts';
export { memoryHost } from './host/memory/host.ts';
export { memoryStorage } from './host/memory/storage.ts';
export { posixHost } from './host/posix/host.ts';
export type { Storage } from './host/storage.ts';
export { repairDatabase } from './model/chores.ts';
export { formatPath, parsePath } from './model/path/text.ts';
export type { IndexDefinition, Policy } from './model/policy/types.ts';
export type * from './model/portable.ts';
export { commitStamp, parseCommitStamp } from './model/stamp.ts';
export type * from './model/types.ts';
export { attach, open, openSync } from './node/open.ts';
export { toReadable, toWebStream } from './node/streams.ts';
export { restore } from './node/targets.ts';
export type { RepairOptions, RepairReport } from './txn/repair.ts';
export type { SharedHandle } from './txn/threads/handle.ts';
