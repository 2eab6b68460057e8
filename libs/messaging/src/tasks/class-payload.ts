import type * as ClassTransformer from 'class-transformer';
import type * as ClassValidator from 'class-validator';
import { needPeers } from '../peers';
import type { PayloadClass, PayloadProblem, PayloadReader, ReadPayload } from './payload';

const NOT_AN_OBJECT: ReadPayload<never> = { problems: [{ pointer: '', message: 'it must be an object' }] };

/** class-transformer takes a time that grows with the square of an object's fields: a second for 30,000, half a minute for 120,000. */
const MOST_FIELDS = 5_000;
/** It calls itself for each level. */
const MOST_LEVELS = 500;
/** Rules that say nothing of what is in a field. */
const OPEN = ['isObject', 'isArray'];

const RULES = { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false };

/** Each class has one: class-validator gathers its rules anew each time that it is asked for them. */
const readers = new WeakMap<PayloadClass, PayloadReader<object>>();

/**
 * Reads payloads as instances of a class: class-validator's rules hold, unknown fields are refused. What the class leaves open is kept
 * as it came: a field with `@IsObject()`, `@IsArray()` or `@Allow()` and neither `@ValidateNested()` nor a word of class-transformer is anybody's data,
 * in which "constructor" may be a maker of cars.
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

interface TransformerStorage {
  findTypeMetadata(type: PayloadClass, field: string): unknown;
  findExcludeMetadata(type: PayloadClass, field: string): unknown;
  findTransformMetadatas(
    type: PayloadClass,
    field: string,
    transformation: ClassTransformer.TransformationType,
  ): readonly unknown[];
}

class ClassRules {
  // Loaded with the first class: who has none need not install them.
  private readonly validator = loadValidator();
  private readonly transformer = loadTransformer();
  private readonly storage = loadTransformerStorage();
  private readonly known: ReadonlySet<string>;
  /** What is in these fields is anybody's data. */
  private readonly open: ReadonlySet<string>;

  constructor(private readonly type: PayloadClass) {
    const rules = this.validator.getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
    const nested = rules.filter((rule) => rule.type === 'nestedValidation').map(({ propertyName }) => propertyName);
    const objects = rules.filter(
      ({ name, type: kind }) => OPEN.includes(String(name)) || kind === 'whitelistValidation',
    );
    this.known = new Set(rules.map(({ propertyName }) => propertyName));
    const fields = objects.map(({ propertyName }) => propertyName);
    this.open = new Set(fields.filter((field) => !nested.includes(field) && !this.isTransformed(field)));
  }

  async read(json: unknown): Promise<ReadPayload<object>> {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return NOT_AN_OBJECT;
    // Before anything is made of it: class-validator would look at each unknown field again and again.
    const unknown = Object.keys(json).filter((field) => !this.known.has(field));
    if (unknown.length > 0) return { problems: unknown.map((field) => this.asUnknown(field)) };
    const excess = this.excessOf(json as Record<string, unknown>);
    if (excess) return { problems: [excess] };
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

  /** Whether class-transformer has a word in what becomes of the field. */
  private isTransformed(field: string): boolean {
    const { type, storage } = this;
    const { PLAIN_TO_CLASS } = this.transformer.TransformationType;
    return (
      storage.findTypeMetadata(type, field) !== undefined ||
      storage.findExcludeMetadata(type, field) !== undefined ||
      storage.findTransformMetadatas(type, field, PLAIN_TO_CLASS).length > 0
    );
  }

  /** What is open is not looked into. */
  private excessOf(json: Record<string, unknown>): PayloadProblem | undefined {
    for (const field of Object.keys(json)) {
      const message = this.open.has(field) ? undefined : excessIn(json[field]);
      if (message !== undefined) return { pointer: `/${field}`, message };
    }
    return undefined;
  }

  private asUnknown(field: string): PayloadProblem {
    const why = this.known.size === 0 ? `: the class ${this.type.name} has no decorators of class-validator` : '';
    return { pointer: `/${field}`, message: `property ${field} should not exist${why}` };
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

function excessIn(value: unknown, level = 1): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (level > MOST_LEVELS) return `it must be at most ${MOST_LEVELS} levels deep`;
  const isList = Array.isArray(value);
  const children: unknown[] = isList ? value : Object.values(value);
  if (!isList && children.length > MOST_FIELDS) return `an object in it must have at most ${MOST_FIELDS} fields`;
  for (const child of children) {
    const excess = excessIn(child, level + 1);
    if (excess !== undefined) return excess;
  }
  return undefined;
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

/** As Nest's mapped types do: no function of the package tells what its decorators have said. */
function loadTransformerStorage(): TransformerStorage {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- as above.
  return (require('class-transformer/cjs/storage') as { defaultMetadataStorage: TransformerStorage })
    .defaultMetadataStorage;
}
