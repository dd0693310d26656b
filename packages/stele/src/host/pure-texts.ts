/**
 * Texts in plain script: no capability of the platform is needed, so the engine runs anywhere.
 *
 * Slower than the native host for long texts (300 ns for 100 bytes against 75), same results.
 *
 * Specification: spec/host.md, "Texts".
 */

import { readLatin1, readUtf8, writeUtf8 } from '../base/utf8.ts';
import type { Texts } from './host.ts';

/** Strings and bytes without any native call. */
export function pureTexts(): Texts {
  return { latin1: readLatin1, utf8: readUtf8, writeUtf8: (text, target, at) => writeUtf8(text, target, at) - at };
}
