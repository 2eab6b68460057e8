import 'reflect-metadata';
import { EventEmitter } from 'node:events';
import {
  BadRequestException,
  Catch,
  Controller,
  Logger,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { Message } from 'amqplib';
import { Type } from 'class-transformer';
import { IsInt, IsString, Min, ValidateNested } from 'class-validator';
import { EMPTY, concatMap, defer, of, throwError } from 'rxjs';
import { FakeLink } from '../../../../../test/support/fake-link';
import { Connection } from '../../broker/connection';
import { systemClock } from '../../clock';
import { DiscardTask, PostponeTask, RetryTask } from '../../errors';
import { execute, type TaskRunner } from '../../tasks/execution';
import type { Outcome } from '../../tasks/outcome';
import { Slot } from '../../tasks/slots';
import { MessagingConnections } from '../messaging.connections';
import { MessagingModule } from '../messaging.module';
import { HandlerWorker } from '../queues/handler-worker';
import { TaskHandler } from './task-handler.decorator';
import { TaskContext } from './task.context';

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
    seen.push(greeting, task.id);
  }

  @TaskHandler('observe')
  observe() {
    return of('seen');
  }

  @TaskHandler('fail', { timeoutMs: 5_000 })
  fail(@Payload() { discard }: { discard?: boolean }): void {
    throw discard ? new DiscardTask('Gone.', { code: 'GONE' }) : new Error('broken');
  }

  @TaskHandler('locked.always', { postpone: { maxCount: 0 } })
  lockedAlways(): void {
    this.locked();
  }

  @TaskHandler('locked')
  locked(): void {
    throw new PostponeTask(60_000, 'Order 7 is locked.', { code: 'LOCKED' });
  }

  @TaskHandler('archive', { timeoutMs: 3_600_000 })
  archive(): void {}

  @TaskHandler('upstream')
  upstream(): void {
    throw new BadRequestException('the card service said 400');
  }

  @TaskHandler('guarded')
  @UseGuards({
    canActivate() {
      throw new BadRequestException('the user service said 400');
    },
  })
  guarded(): void {}

  @TaskHandler('own-pipe')
  @UsePipes(new ValidationPipe())
  ownPipe(@Payload() greeting: Greeting): void {
    seen.push(greeting);
  }

  @TaskHandler('answered')
  @UseInterceptors({ intercept: () => of('answered by the interceptor') })
  answered(): void {
    seen.push('handled');
  }

  @MessagePattern('foreign', Transport.TCP)
  foreign(): void {}

  @MessagePattern('foreign.any')
  foreignAny(): void {}

  @EventPattern('order.paid')
  booked(): void {}

  @EventPattern('order.paid')
  shipped(): void {}
}

/** Answers of exception filters, each of which once made a failure something else. */
const ANSWERS: Record<string, ExceptionFilter['catch']> = {
  nothing: () => undefined,
  'a Promise': async () => undefined,
  'an Observable that ends': () => EMPTY,
  'a value': () => of('forgiven'),
  'an error of its own': () => {
    throw new TypeError('this.raw.getHeader is not a function');
  },
  'a Promise that rejects': async () => {
    throw new TypeError('this.raw.getHeader is not a function');
  },
  'what the base filter for HTTP makes of it': (error, host) => new BaseExceptionFilter().catch(error, host),
};
let answer: keyof typeof ANSWERS | undefined;

/** Everything, as in the documentation of Nest; on the method, the controller and the application. */
@Catch()
class CatchEverything implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): unknown {
    if (answer === undefined) return throwError(() => error);
    return ANSWERS[answer]?.(error, host);
  }
}

class ShopClosed extends Error {}

@Catch(ShopClosed)
class ShopClosedFilter implements ExceptionFilter {
  catch(error: ShopClosed): unknown {
    return throwError(() => new DiscardTask(error.message, { code: 'SHOP_CLOSED' }));
  }
}

/** Emits its error from another chain of calls than the one that asked for it, as a socket does. */
const elsewhere = new EventEmitter();

@Controller()
class Failures {
  @TaskHandler('f.method')
  @UseFilters(CatchEverything)
  method(): void {
    throw new Error('database is down');
  }

  @TaskHandler('f.async')
  @UseFilters(CatchEverything)
  async later(): Promise<void> {
    await Promise.resolve();
    throw new Error('database is down');
  }

  @TaskHandler('f.observable')
  @UseFilters(CatchEverything)
  observable() {
    return defer(() => new Promise((_resolve, reject) => elsewhere.once('fail', reject)));
  }

  @TaskHandler('f.interceptor')
  @UseFilters(CatchEverything)
  @UseInterceptors({
    intercept: (_context: ExecutionContext, next: CallHandler) =>
      next.handle().pipe(
        concatMap(() => {
          throw new Error('commit failed');
        }),
      ),
  })
  interceptor(): string {
    return 'done';
  }

  @TaskHandler('f.guard')
  @UseFilters(CatchEverything)
  @UseGuards({ canActivate: () => false })
  guard(): void {}

  @TaskHandler('f.discard')
  @UseFilters(CatchEverything)
  discard(): void {
    throw new DiscardTask('card is expired', { code: 'CARD_EXPIRED' });
  }

  @TaskHandler('f.retry')
  @UseFilters(CatchEverything)
  retry(): void {
    throw new RetryTask('rate limited', { delayMs: 400 });
  }

  @UseFilters(ShopClosedFilter)
  @TaskHandler('f.closed')
  closed(): void {
    throw new ShopClosed('closed on Sundays');
  }
}

/** What this test asks of the worker inside the transport: the lookup that executions use. */
type Lookup = { runnerOf(type: string): TaskRunner | undefined };

let app: INestApplication;
let transport: HandlerWorker;
const warnings: unknown[] = [];

beforeAll(async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void warnings.push(message));
  // Never connected: the application starts all the same.
  const connection = new Connection(new FakeLink());
  const connections = { publishing: connection, consuming: connection, close: async () => undefined };
  const imports = [MessagingModule.forRoot({ rabbitUrl: 'amqp://localhost' })];
  const testing = Test.createTestingModule({ imports, controllers: [Greetings, Failures] });
  const module = await testing.overrideProvider(MessagingConnections).useValue(connections).compile();
  app = module.createNestApplication(new FastifyAdapter(), { logger: false });
  await app.init();
  transport = app.get(HandlerWorker);
});
beforeEach(() => (seen.length = 0));
afterAll(() => app.close());

const runnerOf = (type: string) => (transport as unknown as Lookup).runnerOf(type);

async function outcomeOf(body: object): Promise<Outcome> {
  const content = Buffer.from(JSON.stringify(body));
  const message = { content, fields: {}, properties: { messageId: 'order-1' } } as unknown as Message;
  const policy = { maxAttempts: 2, delaysMs: [1_000], postpone: { maxCount: 1, maxTotalMs: 60_000 } };
  const times = { handlerTimeoutMs: 1_000, longestTimeoutMs: () => 1_000, clock: systemClock };
  const context = { queueName: 'tasks', policy, ...times, runnerOf, onStart: () => undefined };
  return (await execute(message, context, new Slot())).outcome;
}

describe('@TaskHandler', () => {
  it('gives the method the payload as its class, without the type, and the task as context', async () => {
    expect(await outcomeOf({ type: 'greet', guest: { name: 'Ada' }, times: 2 })).toEqual({ kind: 'success' });
    expect(seen).toEqual([{ guest: { name: 'Ada' }, times: 2 }, 'order-1']);
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

  it('may postpone a task, as often as its options allow', async () => {
    const reason = { code: 'LOCKED', message: 'Order 7 is locked.' };
    expect(await outcomeOf({ type: 'locked' })).toEqual({ kind: 'postponed', delayMs: 60_000, reason });
    expect(await outcomeOf({ type: 'locked.always' })).toMatchObject({ failure: { code: 'POSTPONED_TOO_LONG' } });
  });

  it('carries its own time limit', () => {
    expect(runnerOf('fail')?.timeoutMs).toBe(5_000);
    expect(runnerOf('greet')).not.toHaveProperty('timeoutMs');
  });

  it('that may take longer than a broker waits for an ack is warned of in the log, with the setting that fits', () => {
    expect(warnings.filter((warning) => String(warning).startsWith('A handler'))).toEqual([
      expect.stringMatching(/^A handler may take 3600000 ms, .*consumer_timeout = 3660000 /),
    ]);
  });

  it('is known by its type; what another transport handles is not', async () => {
    const ofOthers = ['foreign', 'foreign.any', 'order.paid'];
    expect(transport.types).toEqual(expect.arrayContaining(['archive', 'fail', 'greet', 'observe']));
    for (const type of ofOthers) {
      expect(transport.types).not.toContain(type);
      expect(await outcomeOf({ type })).toMatchObject({ kind: 'retry', failure: { code: 'UNKNOWN_TYPE' } });
    }
  });

  it('is refused twice for one type', () => {
    const add = () => transport.addHandler('greet', '@TaskHandler("greet") of Others.greet', { run: () => undefined });
    expect(add).toThrow(/for the type "greet" of queue "tasks": .*Greetings\.greet and .*Others\.greet/);
  });

  it.each(['upstream', 'guarded'])(
    'that fails with an HTTP error of 400 is tried again: it says nothing of the payload (%s)',
    async (type) => {
      expect(await outcomeOf({ type })).toMatchObject({ kind: 'retry', failure: { code: 'HANDLER_FAILED' } });
    },
  );

  it('is not tried again when a pipe of the application refused the payload', async () => {
    const outcome = await outcomeOf({ type: 'own-pipe', guest: { name: 'Ada' }, times: 0 });
    expect(outcome).toMatchObject({ kind: 'dead', failure: { code: 'INVALID_PAYLOAD' } });
    expect(seen).toEqual([]);
  });

  it('succeeds when an interceptor answers in its place', async () => {
    expect(await outcomeOf({ type: 'answered' })).toEqual({ kind: 'success' });
    expect(seen).toEqual([]);
  });
});

describe('an exception filter', () => {
  afterEach(() => (answer = undefined));

  const failing = ['f.method', 'f.async', 'f.observable', 'f.interceptor', 'f.guard'];
  const cases = failing.flatMap((type) => Object.keys(ANSWERS).map((name) => [type, name] as const));

  it.each(cases)('never makes a failure a success, nor hides its reason: %s answered with %s', async (type, name) => {
    answer = name;
    const outcome = outcomeOf({ type });
    if (type === 'f.observable') await failElsewhere();
    const reason = /database is down|commit failed|Forbidden/;
    expect(await outcome).toMatchObject({
      kind: 'retry',
      failure: { message: expect.stringMatching(reason) as unknown },
    });
  });

  it.each(Object.keys(ANSWERS))('never changes what the handler has decided: answered with %s', async (name) => {
    answer = name;
    const discarded = { code: 'CARD_EXPIRED', message: 'card is expired' };
    expect(await outcomeOf({ type: 'f.discard' })).toEqual({ kind: 'dead', failure: discarded });
    const failure = { code: 'RETRY_REQUESTED', message: 'rate limited' };
    expect(await outcomeOf({ type: 'f.retry' })).toEqual({ kind: 'retry', levelMs: 1_000, failure });
  });

  it('decides with a DiscardTask what follows', async () => {
    const failure = { code: 'SHOP_CLOSED', message: 'closed on Sundays' };
    expect(await outcomeOf({ type: 'f.closed' })).toEqual({ kind: 'dead', failure });
  });

  it('that fails is told of once for each type', async () => {
    const told = warnings.filter((warning) => String(warning).includes('"f.method"'));
    expect(told).toEqual([expect.stringContaining('this.raw.getHeader is not a function')]);
  });
});

/** Once the handler listens. */
async function failElsewhere(): Promise<void> {
  while (elsewhere.listenerCount('fail') === 0) await new Promise(setImmediate);
  elsewhere.emit('fail', new Error('database is down'));
}
