import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { cut, pointerOf, type ProblemDetail, ProblemException, problemOf } from './problem';

/** Enough to mend a request; a hostile one must not make an answer larger than itself. */
export const MOST_ERRORS = 20;

/** A class with class-validator's decorators. */
type Checked = new () => object;

/**
 * Checks a body against its class. Returns every wrong place, with pointers below `parent`. The body is neither changed
 * nor copied in depth: what is in its open fields is the consumer's business.
 */
export function checkBody(target: Checked, body: unknown, parent = ''): ProblemDetail[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return [{ pointer: parent, detail: 'must be a JSON object' }];
  }
  const known = fieldsOf(target);
  const unknown: string[] = [];
  const instance = new target() as Record<string, unknown>;
  for (const field of Object.keys(body)) {
    if (known.has(field)) instance[field] = (body as Record<string, unknown>)[field];
    // One more than is named: it tells that there are more.
    else if (unknown.length <= MOST_ERRORS) unknown.push(field);
  }
  return [
    ...unknown.map((field) => ({ pointer: pointerOf([field], parent), detail: `unknown field "${cut(field)}"` })),
    ...validateSync(instance).flatMap((error) => detailsOf(error, parent)),
  ];
}

/** Of each class once: class-validator gathers them anew from all rules that it knows. */
const knownFields = new Map<Checked, ReadonlySet<string>>();

function fieldsOf(target: Checked): ReadonlySet<string> {
  let known = knownFields.get(target);
  if (!known) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(target, '', false, false);
    known = new Set(rules.map(({ propertyName }) => propertyName));
    knownFields.set(target, known);
  }
  return known;
}

/** @throws ProblemException 422, when there are any; it names at most 20. */
export function refuse(errors: ProblemDetail[]): void {
  if (errors.length === 0) return;
  const count = errors.length === 1 ? '1 invalid field' : `${errors.length} invalid fields`;
  const detail =
    errors.length > MOST_ERRORS
      ? `The request has more than ${MOST_ERRORS} invalid fields; these are the first.`
      : `The request has ${count}.`;
  throw new ProblemException(problemOf(422, 'INVALID_REQUEST', detail, { errors: errors.slice(0, MOST_ERRORS) }));
}

function detailsOf(error: ValidationError, parent: string): ProblemDetail[] {
  const pointer = pointerOf([error.property], parent);
  // One per field: the topmost decorator, which speaks of the type.
  const own = Object.values(error.constraints ?? {})
    .slice(-1)
    .map((detail) => ({ pointer, detail }));
  return [...own, ...(error.children ?? []).flatMap((child) => detailsOf(child, pointer))];
}
