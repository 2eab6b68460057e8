/** The same in every copy of the package, so that one can tell the other. */
const COPY = Symbol.for('mercury.messaging.copy');
const OURS = Object.freeze({});

/** What connections are marked by: those of another copy of the package look alike, and are not the same. */
export abstract class OfThisCopy {
  get [COPY](): object {
    return OURS;
  }
}

/**
 * Whether these were made by another copy of the package, such as a second version in one tree: its errors, signals and channels are not
 * known here. Asks for no connection, because asking opens it.
 */
export function isOfAnotherCopy(made: object): boolean {
  const parts: unknown[] = Object.values(Object.getOwnPropertyDescriptors(made)).map(({ value }): unknown => value);
  return [made, ...parts].some((part) => {
    const copy = (Object(part) as Record<symbol, unknown>)[COPY];
    return copy !== undefined && copy !== OURS;
  });
}
