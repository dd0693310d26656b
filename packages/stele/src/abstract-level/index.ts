/** The door `stele/abstract-level`: re-exports only. */
export { LevelError } from './errors.ts';
export { SteleLevel } from './level.ts';
export type { AnyBucket, ChainedBatch, Format, LevelCommitOptions, SteleLevelOptions } from './types.ts';
