/** The door to the kernel: the byte interface, for those who build on it. Re-exports only. */
export { faultyHost } from './host/faulty/host.ts';
export { openEngine, openEngineSync } from './txn/engine.ts';
export { attachEngine } from './txn/threads/attach.ts';
export type * from './txn/types.ts';
