import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import { Allow, IsArray, IsDate, IsInt, IsObject, IsOptional, ValidateNested } from 'class-validator';
import { PayloadPipe } from './payload.pipe';

class Line {
  @IsInt()
  amount!: number;
}

class Order {
  @IsOptional()
  @IsInt()
  amount?: number;

  @IsObject()
  data!: Record<string, unknown>;

  @IsOptional()
  @ValidateNested()
  @Type(() => Line)
  line?: Line;

  @IsOptional()
  @IsDate()
  @Type(() => Date)
  due?: Date;

  @IsOptional()
  @IsArray()
  list?: unknown[];

  @Allow()
  any?: unknown;

  @IsOptional()
  @IsObject()
  @Transform(({ value }) => JSON.parse(value as string) as unknown)
  text?: Record<string, unknown>;
}

const read = (json: string): Promise<unknown> =>
  new PayloadPipe().transform(JSON.parse(json), { type: 'body', metatype: Order });

it('gives an instance of the class, with its nested classes and types', async () => {
  const order = await read('{"data":{},"line":{"amount":1},"due":"2026-01-31T00:00:00Z"}');
  expect(order).toBeInstanceOf(Order);
  expect(order).toMatchObject({ line: expect.any(Line) as Line, due: new Date('2026-01-31T00:00:00Z') });
});

it.each([
  '{"car":{"constructor":"Ferrari"}}',
  '{"toString":1,"nested":[{"valueOf":2,"prototype":3}]}',
  '{"nested":{"__proto__":{"admin":true}}}',
  `{"deep":${'['.repeat(2_000)}${']'.repeat(2_000)}}`,
])('keeps open data exactly as it came: %.60s', async (data) => {
  const order = (await read(`{"data":${data}}`)) as Order;
  expect(JSON.stringify(order.data)).toBe(data);
});

it.each(['list', 'any'])('keeps what is in a %s exactly as it came', async (field) => {
  const value = '[{"constructor":"Ferrari","toString":1}]';
  const order = (await read(`{"data":{},"${field}":${value}}`)) as Record<string, unknown>;
  expect(JSON.stringify(order[field])).toBe(value);
});

it('makes of an object what the class says that it is to become', async () => {
  expect(await read('{"data":{},"text":"{\\"a\\":1}"}')).toMatchObject({ text: { a: 1 } });
});

const WIDE = JSON.stringify(Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`u${index}`, 1])));

it.each([
  ['an object of 100,000 fields, without looking at each', `{"data":{},"line":${WIDE}}`, '/line: an object in it'],
  ['the same where a number belongs', `{"data":{},"amount":${WIDE}}`, '/amount: an object in it'],
  [
    'what is 100,000 levels deep',
    `{"data":{},"line":{"amount":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
    '/line: it must be at most 500 levels deep',
  ],
])('refuses %s', async (_what, json, problem) => {
  const beganAtMs = performance.now();
  await expect(read(json)).rejects.toMatchObject({ message: expect.stringContaining(problem) as string });
  // Unbounded it takes 20 s and more.
  expect(performance.now() - beganAtMs).toBeLessThan(5_000);
});

it.each([
  ['data that is no object', '{"data":"x"}', '/data'],
  ['no data', '{}', '/data'],
  ['an unknown field', '{"data":{},"extra":1}', '/extra'],
  ['an object where a number belongs, whatever its keys', '{"data":{},"amount":{"constructor":1}}', '/'],
  ['a wrong nested field', '{"data":{},"line":{"amount":"1"}}', '/line/amount'],
])('refuses %s, as a dead letter that names it', async (_what, json, path) => {
  await expect(read(json)).rejects.toMatchObject({
    name: 'DiscardTask',
    code: 'INVALID_PAYLOAD',
    message: expect.stringContaining(`${path}: `) as string,
  });
});

it('names 20 unknown fields, and says how many more there are', async () => {
  const fields = Array.from({ length: 1_000 }, (_, index) => [`unknown${index}`, 1]);
  const refusal = await read(JSON.stringify({ data: {}, ...Object.fromEntries(fields) })).catch(
    (error: Error) => error,
  );
  const { message } = refusal as Error;
  expect(message.match(/should not exist/g)).toHaveLength(20);
  expect(message).toContain('and 980 more');
});
