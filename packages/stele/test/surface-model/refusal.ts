/** What the surface reference refuses a call with: the public code, and nothing else. */

export class Refusal extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.name = 'Refusal';
    this.code = code;
  }
}

export type Outcome<T> = { readonly value: T; readonly code?: undefined } | { readonly code: string };

/** What the reference says to a call. */
export function expectedOf<T>(work: () => T): Outcome<T> {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code };
    throw error;
  }
}
