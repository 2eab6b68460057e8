import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsDate, IsInt, IsObject, IsOptional, ValidateNested } from 'class-validator';
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
