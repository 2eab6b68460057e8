import type * as ClassTransformer from 'class-transformer';
import type * as ClassValidator from 'class-validator';
import { needPeers } from '../peers';
import type { PayloadClass, PayloadProblem, PayloadReader, ReadPayload } from './payload';

const NOT_AN_OBJECT: ReadPayload<never> = { problems: [{ pointer: '', message: 'it must be an object' }] };

const RULES = { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false };

/** Each class has one: class-validator gathers its rules anew each time that it is asked for them. */
const readers = new WeakMap<PayloadClass, PayloadReader<object>>();

/**
 * Reads payloads as instances of a class: class-validator's rules hold, unknown fields are refused. What the class leaves open is kept
 * as it came: a field with `@IsObject()` and without `@ValidateNested()` is anybody's data, in which "constructor" may be a maker of cars.
 * @throws MercuryError `PEER_MISSING` without class-validator or class-transformer.
 */
export function readerOfClass<Payload extends object>(type: PayloadClass<Payload>): PayloadReader<Payload> {
  let reader = readers.get(type);
  if (!reader) {
    needPeers(`The class ${type.name} of a payload`, 'class-validator', 'class-transformer');
    const rules = new ClassRules(type);
    reader = (json) => rules.read(json);
    readers.set(type, reader);
  }
  return reader as PayloadReader<Payload>;
}

class ClassRules {
  // Loaded with the first class: who has none need not install them.
  private readonly validator = loadValidator();
  private readonly transformer = loadTransformer();
  private readonly known: ReadonlySet<string>;
  /** What is in these fields is anybody's data. */
  private readonly open: ReadonlySet<string>;

  constructor(private readonly type: PayloadClass) {
    const rules = this.validator.getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
    const nested = rules.filter((rule) => rule.type === 'nestedValidation').map(({ propertyName }) => propertyName);
    const objects = rules.filter(({ name }) => name === 'isObject').map(({ propertyName }) => propertyName);
    this.known = new Set(rules.map(({ propertyName }) => propertyName));
    this.open = new Set(objects.filter((field) => !nested.includes(field)));
  }

  async read(json: unknown): Promise<ReadPayload<object>> {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return NOT_AN_OBJECT;
    // Before anything is made of it: class-validator would look at each unknown field again and again.
    const unknown = Object.keys(json).filter((field) => !this.known.has(field));
    if (unknown.length > 0) return { problems: unknown.map(asUnknown) };
    let payload: object;
    try {
      payload = this.instanceOf(json as Record<string, unknown>);
    } catch (error) {
      // class-transformer trips over keys such as "constructor" where the class wants something simple.
      if (!(error instanceof TypeError)) throw error;
      return { problems: [{ pointer: '', message: error.message }] };
    }
    const errors = await this.validator.validate(payload, RULES);
    if (errors.length === 0) return { payload };
    return { problems: errors.flatMap((error) => problemsOf(error, '')) };
  }

  private instanceOf(json: Record<string, unknown>): object {
    const type = this.type as ClassTransformer.ClassConstructor<object>;
    if (this.open.size === 0) return this.transformer.plainToInstance(type, json);
    const kept: Record<string, unknown> = {};
    const closed: Record<string, unknown> = {};
    for (const field of Object.keys(json)) (this.open.has(field) ? kept : closed)[field] = json[field];
    return Object.assign(this.transformer.plainToInstance(type, closed), kept);
  }
}

function asUnknown(field: string): PayloadProblem {
  return { pointer: `/${field}`, message: `property ${field} should not exist` };
}

function problemsOf(
  { property, constraints = {}, children = [] }: ClassValidator.ValidationError,
  parent: string,
): PayloadProblem[] {
  const pointer = `${parent}/${property}`;
  const own = Object.values(constraints).map((message) => ({ pointer, message }));
  return [...own, ...children.flatMap((child) => problemsOf(child, pointer))];
}

function loadValidator(): typeof ClassValidator {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() would make defineTask wait.
  return require('class-validator') as typeof ClassValidator;
}

function loadTransformer(): typeof ClassTransformer {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- as above.
  return require('class-transformer') as typeof ClassTransformer;
}
