import 'reflect-metadata';
import { EventEmitter } from 'node:events';
import { Controller, Logger, type INestApplication } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { AmqpConnectionManager } from 'amqp-connection-manager';
import type { Message } from 'amqplib';
import { Type } from 'class-transformer';
import { IsInt, IsString, Min, ValidateNested } from 'class-validator';
import { of } from 'rxjs';
import { Connection } from '../connection';
import { DiscardTask } from '../errors';
import { execute, type TaskRunner } from '../execution';
import { Slot } from '../slots';
import type { Outcome } from '../outcome';
import { connectWorker } from './connect-worker';
import { MessagingConnections } from './messaging.connections';
import { MessagingModule } from './messaging.module';
import { TaskContext, currentTask } from './task.context';
import { TaskHandler } from './task-handler.decorator';
import { WorkerTransport } from './worker.transport';

class Guest {
  @IsString()
  name!: string;
}

class Greeting {
  @ValidateNested()
  @Type(() => Guest)
  guest!: Guest;

  @IsInt()
  @Min(1)
  times!: number;
}

const seen: unknown[] = [];

@Controller()
class Greetings {
  @TaskHandler('greet')
  greet(@Payload() greeting: Greeting, @Ctx() { task }: TaskContext): void {
    seen.push(greeting, task.id, currentTask.getStore()?.id);
  }

  @TaskHandler('observe')
  observe() {
    return of('seen');
  }

  @TaskHandler('fail', { timeoutMs: 5_000 })
  fail(@Payload() { discard }: { discard?: boolean }): void {
    throw discard ? new DiscardTask('Gone.', { code: 'GONE' }) : new Error('broken');
  }

  @TaskHandler('archive', { timeoutMs: 3_600_000 })
  archive(): void {}

  @MessagePattern('foreign', Transport.TCP)
  foreign(): void {}
}

/** What this test asks of the worker inside the transport: the lookup that executions use. */
type Lookup = { runnerOf(type: string): TaskRunner | undefined };

let app: INestApplication;
let transport: WorkerTransport;
const warnings: unknown[] = [];

beforeAll(async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void warnings.push(message));
  // Never connected: the application starts all the same.
  const manager = Object.assign(new EventEmitter(), { isConnected: () => false });
  const connection = new Connection(manager as unknown as AmqpConnectionManager);
  const connections = { publishing: connection, consuming: connection, close: async () => undefined };
  const imports = [MessagingModule.forRoot({ rabbitUrl: 'amqp://localhost' })];
  const testing = Test.createTestingModule({ imports, controllers: [Greetings] });
  const module = await testing.overrideProvider(MessagingConnections).useValue(connections).compile();
  app = module.createNestApplication(new FastifyAdapter(), { logger: false });
  connectWorker(app);
  await app.startAllMicroservices();
  await app.init();
  transport = app.get(WorkerTransport);
});
beforeEach(() => (seen.length = 0));
afterAll(() => app.close());

const runnerOf = (type: string) => transport.unwrap<Lookup>().runnerOf(type);

async function outcomeOf(body: object): Promise<Outcome> {
  const content = Buffer.from(JSON.stringify(body));
  const message = { content, fields: {}, properties: { messageId: 'order-1' } } as unknown as Message;
  const policy = { maxAttempts: 2, delaysMs: [1_000] };
  const context = { queueName: 'tasks', policy, handlerTimeoutMs: 1_000, runnerOf, onStart: () => undefined };
  return (await execute(message, context, new Slot())).outcome;
}

describe('@TaskHandler', () => {
  it('gives the method the payload as its class, without the type, and the task as context', async () => {
    expect(await outcomeOf({ type: 'greet', guest: { name: 'Ada' }, times: 2 })).toEqual({ kind: 'success' });
    expect(seen).toEqual([{ guest: { name: 'Ada' }, times: 2 }, 'order-1', 'order-1']);
    expect(seen[0]).toBeInstanceOf(Greeting);
    expect((seen[0] as Greeting).guest).toBeInstanceOf(Guest);
  });

  it.each([
    ['a wrong field', { guest: { name: 'Ada' }, times: 0 }, '/times: times must not be less than 1'],
    ['a wrong field inside of another', { guest: { name: 7 }, times: 1 }, '/guest/name: name must be a string'],
    [
      'a field that nobody knows',
      { guest: { name: 'Ada' }, times: 1, tmes: 2 },
      '/tmes: property tmes should not exist',
    ],
  ])('discards a payload with %s, and says where', async (_what, payload, problem) => {
    expect(await outcomeOf({ type: 'greet', ...payload })).toEqual({
      kind: 'dead',
      failure: { code: 'INVALID_PAYLOAD', message: `The payload is invalid: ${problem}.` },
    });
    expect(seen).toEqual([]);
  });

  it('lists every problem of a payload', async () => {
    const outcome = await outcomeOf({ type: 'greet', guest: { name: 7 }, times: 'two' });
    const message = outcome.kind === 'dead' ? outcome.failure.message : '';
    for (const path of ['/guest/name:', '/times:']) expect(message).toContain(path);
  });

  it('passes on what the method throws: no "Internal server error" instead', async () => {
    const failed = { code: 'HANDLER_FAILED', message: 'Error: broken' };
    expect(await outcomeOf({ type: 'fail' })).toEqual({ kind: 'retry', levelMs: 1_000, failure: failed });
    const discarded = { code: 'GONE', message: 'Gone.' };
    expect(await outcomeOf({ type: 'fail', discard: true })).toEqual({ kind: 'dead', failure: discarded });
  });

  it('waits for an Observable', async () => {
    expect(await outcomeOf({ type: 'observe' })).toEqual({ kind: 'success' });
  });

  it('carries its own time limit', () => {
    expect(runnerOf('fail')?.timeoutMs).toBe(5_000);
    expect(runnerOf('greet')).not.toHaveProperty('timeoutMs');
  });

  it('that may take longer than a broker waits for an ack is warned of in the log, with the setting that fits', () => {
    expect(warnings).toEqual([expect.stringMatching(/^A handler may take 3600000 ms, .*consumer_timeout = 3660000 /)]);
  });

  it('is known by its type; what another transport handles is not', async () => {
    expect(transport.types.sort()).toEqual(['archive', 'fail', 'greet', 'observe']);
    expect(await outcomeOf({ type: 'foreign' })).toMatchObject({ kind: 'dead', failure: { code: 'UNKNOWN_TYPE' } });
  });

  it('is refused twice for one type', () => {
    expect(() => transport.addHandler('greet', async () => of(undefined))).toThrow('for the type "greet"');
  });
});
