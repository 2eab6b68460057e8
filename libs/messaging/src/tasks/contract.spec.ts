import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsDate, IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { expectTypeOf } from 'expect-type';
import { z } from 'zod';
import { TaskHandler } from '../nest';
import { MemoryBroker, RecordingTaskClient } from '../testing';
import { defineTask, type Received, type Sent } from './contract';
import type { Sendable } from './payload';
import { TaskClient, type ContractPutItem } from './task-client';
import { WorkerClient } from './worker-client';

class Line {
  @IsInt()
  amount!: number;
}

class Invoice {
  @IsInt()
  orderId!: number;

  @IsOptional()
  @IsString()
  note?: string;

  @IsOptional()
  @ValidateNested({ each: true })
  @Type(() => Line)
  lines?: Line[];
}

class Meeting {
  @IsDate()
  @Type(() => Date)
  at!: Date;
}

const InvoiceRun = defineTask('invoice.run', { queue: 'invoices', payload: Invoice });
const Meet = defineTask('meet', { queue: 'meetings', payload: Meeting });
const Remind = defineTask('remind', {
  queue: 'reminders',
  payload: z.object({ at: z.iso.datetime().transform((text) => new Date(text)), to: z.string().min(1) }),
});

let broker: MemoryBroker;
let tasks: TaskClient;

beforeEach(() => {
  broker = new MemoryBroker();
  tasks = new TaskClient({ connections: broker.connect() });
});
afterEach(() => tasks.stop());

describe('a contract', () => {
  it('puts its tasks on its queue, with its type and the payload as it is', async () => {
    const id = await tasks.put(InvoiceRun, { orderId: 4711, lines: [{ amount: 1 }] }, { delayMs: 0, id: 'one' });
    await tasks.put(Remind, { at: '2026-12-24T18:00:00Z', to: 'Ada' });
    expect(id).toBe('one');
    const body = { orderId: 4711, lines: [{ amount: 1 }] };
    expect(broker.messages('invoices')).toMatchObject([{ type: 'invoice.run', body }]);
    expect(broker.messages('reminders')).toMatchObject([{ body: { at: '2026-12-24T18:00:00Z', to: 'Ada' } }]);
  });

  it.each([
    ['a wrong type', { orderId: 'x' }, '/orderId'],
    ['a missing field', {}, '/orderId'],
    ['an unknown field', { orderId: 1, other: 2 }, '/other'],
    ['a wrong nested field', { orderId: 1, lines: [{ amount: '1' }] }, '/lines/0/amount'],
    ['no object', 7, ''],
  ])('of a class refuses %s before it is sent, with a pointer', async (_what, payload, pointer) => {
    const wrong = payload as Invoice;
    await expect(tasks.put(InvoiceRun, wrong)).rejects.toMatchObject({ code: 'INVALID_PAYLOAD', pointer });
    expect(broker.messages('invoices')).toEqual([]);
  });

  it('of a schema refuses what the schema does, with a pointer, and gives its handler what the schema makes', async () => {
    const wrong = tasks.put(Remind, { at: 'soon', to: '' });
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_PAYLOAD', pointer: '/at' });
    await expect(wrong).rejects.toThrow(/\/at: .*; \/to: /);
    const received = await Remind.receive({ at: '2026-12-24T18:00:00Z', to: 'Ada' });
    expect(received).toEqual({ at: new Date('2026-12-24T18:00:00Z'), to: 'Ada' });
  });

  it('keeps a field "type" that is of the payload, and leaves it out where it only repeats the type of the task', async () => {
    const Typed = defineTask('paid', {
      queue: 'q',
      payload: z.strictObject({ type: z.literal('paid'), id: z.number() }),
    });
    const Bare = defineTask('paid', { queue: 'q', payload: z.strictObject({ id: z.number() }) });
    const task = { type: 'paid', body: { type: 'paid', id: 1 } };
    expect(await Typed.receiveFrom(task)).toEqual({ type: 'paid', id: 1 });
    expect(await Bare.receiveFrom(task)).toEqual({ id: 1 });
    await expect(Bare.receiveFrom({ type: 'paid', body: { type: 'paid', id: 'x' } })).rejects.toThrow(/\/id: /);
  });

  it('names 20 problems, and says how many more there are', async () => {
    const fields = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`unknown${index}`, 1]));
    const refusal = await InvoiceRun.checkSent({ orderId: 1, ...fields }).catch((error: Error) => error);
    expect((refusal as Error).message.match(/should not exist/g)).toHaveLength(20);
    expect((refusal as Error).message).toContain('and 980 more');
  });

  it.each<[string, () => unknown, RegExp]>([
    ['without a type', () => defineTask('', { queue: 'q', payload: Invoice }), /its type must be a string/],
    ['of a queue that cannot be', () => defineTask('t', { queue: 'amq.q', payload: Invoice }), /queue must not start/],
    [
      'of no payload',
      () => defineTask('t', { queue: 'q', payload: {} as never }),
      /payload must be a class, or a schema/,
    ],
  ])('%s is refused', (_what, define, message) => expect(define).toThrow(message));

  it('whose check outlasts its client is not sent, and opens nothing any more', async () => {
    const connections = broker.connect();
    const client = new TaskClient({ connections });
    const opened = jest.spyOn(connections.publishing, 'openChannel');
    const checked = z.object({ id: z.number().refine(() => client.stop().then(() => true)) });
    const Slow = defineTask('slow', { queue: 'slow', payload: checked });
    await expect(client.put(Slow, { id: 1 })).rejects.toMatchObject({ code: 'PUBLISH_NOT_SENT' });
    expect(opened).not.toHaveBeenCalled();
  });

  it('of a client that is stopped puts nothing', async () => {
    await tasks.stop();
    await expect(tasks.put(InvoiceRun, { orderId: 1 })).rejects.toMatchObject({ code: 'STOPPED' });
  });
});

/** Never called: what the compiler says of it is the test. */
export async function types(client: WorkerClient): Promise<void> {
  await tasks.put(InvoiceRun, { orderId: 1 });
  await tasks.put(InvoiceRun, new Invoice());
  // @ts-expect-error a misspelt field
  await tasks.put(InvoiceRun, { orderID: 1 });
  // @ts-expect-error a wrong type
  await tasks.put(InvoiceRun, { orderId: '1' });
  // @ts-expect-error an unknown field
  await tasks.put(InvoiceRun, { orderId: 1, other: 2 });
  // @ts-expect-error a missing field
  await tasks.put(InvoiceRun, {});
  // @ts-expect-error a wrong nested field
  await tasks.put(InvoiceRun, { orderId: 1, lines: [{ amount: '1' }] });
  // @ts-expect-error the type is the contract's
  await tasks.put(InvoiceRun, { orderId: 1 }, { type: 'other' });
  // @ts-expect-error a Date would arrive as a string
  await tasks.put(Meet, { at: new Date() });
  // @ts-expect-error and is no string either, so that the class says what arrives
  await tasks.put(Meet, { at: '2026-12-24T18:00:00Z' });
  await tasks.put(Remind, { at: '2026-12-24T18:00:00Z', to: 'Ada' });
  // @ts-expect-error what the schema takes is a text
  await tasks.put(Remind, { at: new Date(), to: 'Ada' });
  // @ts-expect-error only WorkerClient puts what has no contract
  await tasks.put({ orderId: 1 }, { type: 'invoice.run' });
  await client.put({ anything: 1 }, { type: 'free' });

  expectTypeOf<Sendable<{ at?: string; list: (number | null)[]; open: Record<string, unknown> }>>().toEqualTypeOf<{
    at?: string;
    list: (number | null)[];
    open: Record<string, unknown>;
  }>();
  expectTypeOf<Received<typeof Remind>>().toEqualTypeOf<{ at: Date; to: string }>();
  expectTypeOf<Sent<typeof Remind>>().toEqualTypeOf<{ at: string; to: string }>();
  expectTypeOf<Received<typeof InvoiceRun>>().toEqualTypeOf<Invoice>();
  expectTypeOf(Remind.receive({})).resolves.toEqualTypeOf<{ at: Date; to: string }>();
}

export class Handlers {
  @TaskHandler(InvoiceRun)
  whole(_invoice: Invoice, _context: object): void {}

  @TaskHandler(InvoiceRun)
  part(_invoice: { orderId: number }): void {}

  @TaskHandler(InvoiceRun)
  none(): void {}

  @TaskHandler(Remind)
  remind(_reminder: { at: Date; to: string }): void {}

  // @ts-expect-error a handler for another payload
  @TaskHandler(InvoiceRun)
  other(_order: { orderNumber: number }): void {}

  // @ts-expect-error what the schema makes is a Date
  @TaskHandler(Remind)
  text(_reminder: { at: string }): void {}

  // @ts-expect-error the queue is the contract's
  @TaskHandler(InvoiceRun, { queue: 'others' })
  elsewhere(_invoice: Invoice): void {}

  @TaskHandler('free', { queue: 'others' })
  free(_anything: { whatever: string }): void {}
}

describe('many tasks of a contract', () => {
  const ITEMS = [1, 'x', 2].map((orderId) => ({
    payload: { orderId },
    id: `order-${orderId}`,
    tags: [`order:${orderId}`],
  }));
  const items = ITEMS as ContractPutItem<Invoice>[];

  it('of a list have an outcome each, in its order; one that is refused does not stop the others', async () => {
    expect(await tasks.putAll(InvoiceRun, items)).toMatchObject([
      { id: 'order-1', stored: true },
      { id: 'order-x', stored: false, error: { code: 'INVALID_PAYLOAD', pointer: '/orderId' } },
      { id: 'order-2', stored: true },
    ]);
    expect(broker.messages('invoices').map(({ type, body }) => [type, body])).toEqual([
      ['invoice.run', { orderId: 1 }],
      ['invoice.run', { orderId: 2 }],
    ]);
  });

  it('among which is none have an outcome for that, too', async () => {
    const odd = [null as unknown as ContractPutItem<Invoice>, { payload: { orderId: 1 } }];
    const refused = { stored: false, error: { code: 'TASK_INVALID' } };
    expect(await tasks.putAll(InvoiceRun, odd)).toMatchObject([refused, { stored: true }]);
    const told: unknown[] = [];
    const counts = await tasks.putAll(InvoiceRun, odd.values(), { onOutcome: async (outcome) => told.push(outcome) });
    expect(counts).toEqual({ storedCount: 1, failedCount: 1 });
    expect(told).toMatchObject([refused, { stored: true }]);
  });

  it('of a source are told as they come, with their place, and counted', async () => {
    const told: unknown[] = [];
    async function* source() {
      yield* items;
    }
    const counts = await tasks.putAll(InvoiceRun, source(), {
      onOutcome: ({ stored }, { id }, index) => told.push([index, id, stored]),
    });
    expect(counts).toEqual({ storedCount: 2, failedCount: 1 });
    expect(told.sort()).toEqual([
      [0, 'order-1', true],
      [1, 'order-x', false],
      [2, 'order-2', true],
    ]);
  });
});

it('a RecordingTaskClient remembers what was put, and refuses what a TaskClient refuses', async () => {
  const recording = new RecordingTaskClient();
  await recording.put(InvoiceRun, { orderId: 1 }, { delayMs: 60_000 });
  await expect(recording.put(InvoiceRun, {} as Invoice)).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
  expect(recording.tasks).toMatchObject([
    { queue: 'invoices', type: 'invoice.run', body: { orderId: 1 }, options: { delayMs: 60_000 } },
  ]);
});
