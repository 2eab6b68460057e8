import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { Ndjson } from '../tasks/batch';
import { type ProblemDetail, ProblemException, problemOf } from './problem';

/** Enough to mend a request; a hostile one must not make an answer larger than itself. */
const MOST_ERRORS = 100;

/** A class with class-validator's decorators. */
type Checked = new () => object;

/**
 * Checks a body against its class. Returns every wrong place, with pointers below `parent`. The body is neither changed
 * nor copied in depth: what is in its open fields is the consumer's business.
 */
export function checkBody(target: Checked, body: unknown, parent = ''): ProblemDetail[] {
  if (body instanceof Ndjson) {
    throw new ProblemException(problemOf(415, 'NOT_JSON', 'Only /v1/tasks/batch takes application/x-ndjson.'));
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return [{ pointer: parent, detail: 'must be a JSON object' }];
  }
  const known = fieldsOf(target);
  const unknown: string[] = [];
  const instance = new target() as Record<string, unknown>;
  for (const [field, value] of Object.entries(body)) {
    if (known.has(field)) instance[field] = value;
    else if (unknown.length < MOST_ERRORS) unknown.push(field);
  }
  return [
    ...unknown.map((field) => ({ pointer: pointerTo(field, parent), detail: `unknown field "${field}"` })),
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

/** @throws ProblemException 422, when there are any. */
export function refuse(errors: ProblemDetail[]): void {
  if (errors.length === 0) return;
  const count = errors.length === 1 ? '1 invalid field' : `${errors.length} invalid fields`;
  throw new ProblemException(problemOf(422, 'INVALID_REQUEST', `The request has ${count}.`, { errors }));
}

function detailsOf(error: ValidationError, parent: string): ProblemDetail[] {
  const pointer = pointerTo(error.property, parent);
  // One per field: the topmost decorator, which speaks of the type.
  const own = Object.values(error.constraints ?? {})
    .slice(-1)
    .map((detail) => ({ pointer, detail }));
  return [...own, ...(error.children ?? []).flatMap((child) => detailsOf(child, pointer))];
}

/** RFC 6901. */
function pointerTo(field: string, parent: string): string {
  return `${parent}/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
