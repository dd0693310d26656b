/** The public door of the package: re-exports only. */
export { type ErrorKind, SteleError } from './base/errors.ts';
export { faultyHost } from './host/faulty/host.ts';
export type { Host } from './host/host.ts';
export { memoryHost } from './host/memory/host.ts';
export { memoryStorage } from './host/memory/storage.ts';
export { posixHost } from './host/posix/host.ts';
export { openEngine, openEngineSync } from './txn/engine.ts';
export { type RepairOptions, type RepairReport, repairDatabase } from './txn/repair.ts';
export { attachEngine } from './txn/threads/attach.ts';
export type { SharedHandle } from './txn/threads/handle.ts';
export type * from './txn/types.ts';
