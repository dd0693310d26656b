/**
 * Stands where a maintainer ought to be that this program does not have: reading goes on, writing below it is refused.
 *
 * Specification: spec/policies.md, "Maintainers".
 */

import { SteleError } from '../../base/errors.ts';
import type { BuildableMaintainer, MaintainerRecord } from '../maintainer.ts';
import { decodePath } from '../path/decode.ts';
import { formatPath } from '../path/text.ts';

/** @throws from every call: {SteleError} `denied` MAINTAINER_MISSING */
export function missingMaintainer(prefix: Uint8Array, records: readonly MaintainerRecord[]): BuildableMaintainer {
  const refuse = (): never => {
    throw maintainerMissing(prefix, records[0]!);
  };
  return { kind: records[0]!.kind, prefix, derive: refuse, derivedRanges: refuse, build: refuse };
}

export function maintainerMissing(prefix: Uint8Array, { kind, format, name }: MaintainerRecord): SteleError {
  const path = formatPath(decodePath(prefix, 0, prefix.length));
  return new SteleError(
    'denied',
    'MAINTAINER_MISSING',
    `${path === '' ? 'the database' : path} has ${JSON.stringify(name)}, kept by ${JSON.stringify(kind)} format ${format}, which this program does not have: it may read there and not write`,
    { detail: { path, kind, format, name } },
  );
}
