import { plainToInstance, type ClassConstructor } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { type ProblemDetail, ProblemException, problemOf } from './problem';

/** Checks a body against its class. Returns every wrong place, with pointers below `parent`. */
export function checkBody(target: ClassConstructor<object>, body: unknown, parent = ''): ProblemDetail[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return [{ pointer: parent, detail: 'must be a JSON object' }];
  }
  const instance = plainToInstance(target, body);
  const errors = validateSync(instance, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
  return errors.flatMap((error) => detailsOf(error, parent));
}

/** @throws ProblemException 422, when there are any. */
export function refuse(errors: ProblemDetail[]): void {
  if (errors.length === 0) return;
  const count = errors.length === 1 ? '1 invalid field' : `${errors.length} invalid fields`;
  throw new ProblemException(problemOf(422, 'INVALID_REQUEST', `The request has ${count}.`, { errors }));
}

function detailsOf(error: ValidationError, parent: string): ProblemDetail[] {
  const pointer = `${parent}/${error.property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const constraints = Object.entries(error.constraints ?? {});
  const own = constraints.map(([rule, text]) => ({
    pointer,
    detail: rule === 'whitelistValidation' ? `unknown field "${error.property}"` : text,
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => detailsOf(child, pointer))];
}
