import { Injectable, ValidationPipe, type Type } from '@nestjs/common';
import { plainToInstance, instanceToPlain, type ClassTransformOptions } from 'class-transformer';
import { getMetadataStorage, type ValidationError } from 'class-validator';
import { DiscardTask } from '../errors';

const MOST_NAMED = 20;

/**
 * Nest's ValidationPipe for payloads: unknown fields are refused, and the handler gets an instance of its class. What
 * the class leaves open is kept as it came: a field with `@IsObject()` and without `@ValidateNested()` is anybody's
 * data, in which "constructor" may be a maker of cars. Nest's pipe alone would drop such keys, or throw over them.
 */
@Injectable()
export class PayloadPipe extends ValidationPipe {
  constructor() {
    super({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      exceptionFactory: (errors) => invalidPayload(errors),
      transformerPackage: { plainToInstance: toInstance, classToPlain: (object) => instanceToPlain(object) },
    });
  }

  /** Payloads come from JSON.parse, whose `__proto__` is a key like any other; nothing here merges it into an object. */
  protected override stripProtoKeys(): void {}
}

function toInstance<Payload>(target: Type<Payload>, plain: unknown, options?: ClassTransformOptions): Payload {
  if (typeof plain !== 'object' || plain === null) return plainToInstance(target, plain as object, options);
  const { known, open } = fieldsOf(target);
  const fields = Object.entries(plain);
  refuseUnknown(known, fields);
  const kept = fields.filter(([field]) => open.has(field));
  const closed = kept.length === 0 ? plain : Object.fromEntries(fields.filter(([field]) => !open.has(field)));
  const instance = transformed(target, closed, options);
  Object.assign(instance as object, Object.fromEntries(kept));
  return instance;
}

/** class-transformer trips over keys such as "constructor" where the class wants something simple: another attempt would, too. */
function transformed<Payload>(target: Type<Payload>, plain: object, options?: ClassTransformOptions): Payload {
  try {
    return plainToInstance(target, plain, options);
  } catch (error) {
    throw error instanceof TypeError ? refusal([`/: ${error.message}`]) : error;
  }
}

/** Before anything is made of it: class-validator would look at each unknown field again and again. */
function refuseUnknown(known: ReadonlySet<string>, fields: readonly [string, unknown][]): void {
  const unknown = fields.filter(([field]) => !known.has(field));
  if (unknown.length === 0) return;
  const named = unknown.slice(0, MOST_NAMED).map(([field]) => `/${field}: property ${field} should not exist`);
  const others = unknown.length > MOST_NAMED ? [`and ${unknown.length - MOST_NAMED} more`] : [];
  throw refusal([...named, ...others]);
}

interface Fields {
  known: ReadonlySet<string>;
  /** What is in them is anybody's data. */
  open: ReadonlySet<string>;
}

/** Of each class once: class-validator gathers them anew from all rules that it knows. */
const fieldsOfClasses = new Map<Type, Fields>();

function fieldsOf(target: Type): Fields {
  let fields = fieldsOfClasses.get(target);
  if (!fields) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(target, '', false, false);
    const nested = rules.filter(({ type }) => type === 'nestedValidation').map(({ propertyName }) => propertyName);
    const objects = rules.filter(({ name }) => name === 'isObject').map(({ propertyName }) => propertyName);
    fields = {
      known: new Set(rules.map(({ propertyName }) => propertyName)),
      open: new Set(objects.filter((field) => !nested.includes(field))),
    };
    fieldsOfClasses.set(target, fields);
  }
  return fields;
}

function invalidPayload(
  errors: readonly Pick<ValidationError, 'property' | 'constraints' | 'children'>[],
): DiscardTask {
  return refusal(errors.flatMap((error) => problemsOf(error, '')));
}

function refusal(problems: string[]): DiscardTask {
  return new DiscardTask(`The payload is invalid: ${problems.join('; ')}.`, { code: 'INVALID_PAYLOAD' });
}

function problemsOf(error: Pick<ValidationError, 'property' | 'constraints' | 'children'>, parent: string): string[] {
  const path = `${parent}/${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((constraint) => `${path}: ${constraint}`);
  return [...own, ...(error.children ?? []).flatMap((child) => problemsOf(child, path))];
}
