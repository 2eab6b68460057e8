import 'reflect-metadata';
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Controller,
  Inject,
  Injectable,
  Logger,
  Module,
  Scope,
  UseGuards,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplicationContext,
  type ModuleMetadata,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory, REQUEST } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IsInt } from 'class-validator';
import { Observable } from 'rxjs';
import { TaskClient, WorkerClient, defineTask } from '../../index';
import { Test } from '@nestjs/testing';
import { MemoryBroker, RecordingClient } from '../../testing';
import {
  InjectQueue,
  MessagingModule,
  Queue,
  Queues,
  Schedule,
  TaskContext,
  TaskHandler,
  queueToken,
  type QueueOptions,
} from '..';

class Invoice {
  @IsInt()
  orderId!: number;
}

const InvoiceRun = defineTask('invoice.run', { queue: 'invoices', payload: Invoice });
const QUEUES = [
  { name: 'emails', capacity: 20 },
  { name: 'invoices', capacity: 2, maxAttempts: 2 },
] as const;

let done: string[];
let broker: MemoryBroker;
let undo: (() => Promise<void>)[];

beforeEach(() => {
  done = [];
  broker = new MemoryBroker();
  undo = [];
});
afterEach(async () => {
  for (const each of undo.reverse()) await each();
});

/** An application as a program has it. */
function program(metadata: ModuleMetadata) {
  @Module(metadata)
  class AppModule {}
  return AppModule;
}

const connected = () => MessagingModule.forRoot({ connections: broker.connect() });

async function start(metadata: ModuleMetadata) {
  const app = await NestFactory.create(program(metadata), new FastifyAdapter(), { logger: false });
  undo.push(() => app.close());
  await app.init();
  return app;
}

@Injectable()
class Mails {
  @TaskHandler('mail', { queue: 'emails' })
  send(@Payload() { to }: { to: string }): void {
    done.push(`mail to ${to}`);
  }
}

@Injectable()
class Invoices {
  constructor(@InjectQueue('emails') private readonly emails: Queue) {}

  @TaskHandler(InvoiceRun)
  async run(@Payload() invoice: Invoice, @Ctx() { task }: TaskContext): Promise<void> {
    done.push(`${invoice.constructor.name} ${invoice.orderId} attempt ${task.attempt} of ${task.queue}`);
    if (task.attempt === 1) throw new Error('again');
    await this.emails.client.put({ to: 'Ada' }, { type: 'mail' });
  }
}

describe('an application with several queues', () => {
  it('runs the tasks of each with the handlers of its providers, on one pair of connections', async () => {
    const app = await start({
      imports: [connected(), MessagingModule.registerQueue(...QUEUES)],
      providers: [Mails, Invoices],
    });
    await app.get(TaskClient).put(InvoiceRun, { orderId: 4711 });
    await broker.advance(1_000);
    await broker.untilIdle();
    expect(done).toEqual(['Invoice 4711 attempt 1 of invoices', 'Invoice 4711 attempt 2 of invoices', 'mail to Ada']);
    const queues = app.get(Queues).all.map(({ name, worker }) => [name, worker.capacity, worker.types]);
    expect(queues).toEqual([
      ['emails', 20, ['mail']],
      ['invoices', 2, ['invoice.run']],
    ]);
  });

  it('has them registered in feature modules, too, with options that are made of what is injected', async () => {
    const CAPACITY = Symbol('capacity');
    @Module({ providers: [{ provide: CAPACITY, useValue: 3 }], exports: [CAPACITY] })
    class Settings {}
    const invoices = MessagingModule.registerQueueAsync({
      name: 'invoices',
      imports: [Settings],
      inject: [CAPACITY],
      useFactory: (capacity: number) => ({ capacity }),
    });
    @Module({ imports: [invoices], providers: [Invoices] })
    class InvoicesModule {}
    @Module({ imports: [MessagingModule.registerQueue({ name: 'emails' })], providers: [Mails] })
    class MailsModule {}
    const app = await start({ imports: [connected(), InvoicesModule, MailsModule] });
    expect(app.get<Queue>('mercury.queue invoices', { strict: false }).worker.capacity).toBe(3);
    await app.get(TaskClient).put(InvoiceRun, { orderId: 1 });
    await broker.advance(1_000);
    await broker.untilIdle();
    expect(done).toHaveLength(3);
  });

  it('takes what forRoot says of tasks for those that say nothing else', async () => {
    const root = MessagingModule.forRoot({ connections: broker.connect(), capacity: 7, maxAttempts: 3 });
    const unset = { name: 'others', capacity: undefined } as unknown as QueueOptions;
    const app = await start({ imports: [root, MessagingModule.registerQueue(...QUEUES, unset)] });
    const { all } = app.get(Queues);
    expect(all.map(({ worker }) => worker.capacity)).toEqual([20, 2, 7]);
    expect(all.map(({ worker }) => worker.rules.policy.maxAttempts)).toEqual([3, 2, 3]);
  });

  it('gives handlers that name no queue the only one', async () => {
    @Injectable()
    class Any {
      @TaskHandler('any')
      any(): void {
        done.push('any');
      }
    }
    const app = await start({ imports: [connected(), MessagingModule.registerQueue(QUEUES[0])], providers: [Any] });
    await app.get<Queue>('mercury.queue emails').client.put({}, { type: 'any' });
    await broker.untilIdle();
    expect(done).toEqual(['any']);
  });

  it('tells problems of the task client, also those of a queue that is not registered', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const app = await start({
      imports: [MessagingModule.forRoot({ connections: broker.connect(), topology: 'check' })],
    });
    const put = app.get(TaskClient).put(InvoiceRun, { orderId: 1 });
    await expect(put).rejects.toMatchObject({ cause: { code: 'BROKER_TOPOLOGY_MISSING' } });
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('queue "invoices"'));
    warn.mockRestore();
  });

  it('has no client of a queue that nobody would look for: an injected WorkerClient says which there are', async () => {
    const app = await start({ imports: [connected(), MessagingModule.registerQueue(...QUEUES)] });
    const putting = app.get(WorkerClient).put({}, { type: 'mail' });
    await expect(putting).rejects.toThrow(/which queue is it of\?.*registered are emails, invoices/);
    expect(broker.messages('tasks')).toEqual([]);
  });

  it('that only puts tasks is ready once its queues are there; without any it has no queue to wait for', async () => {
    const root = () => MessagingModule.forRoot({ connections: broker.connect(), handlers: false });
    const puts = await start({ imports: [root(), MessagingModule.registerQueue(QUEUES[0])] });
    await broker.untilIdle();
    expect(puts.get(Queues).find('emails')?.client).toMatchObject({ isOpen: true, problem: undefined });
    const other = await start({ imports: [root()] });
    expect(other.get(WorkerClient).isOpen).toBe(false);
  });

  it('lets a RecordingClient stand for one of its queues in a test', async () => {
    @Injectable()
    class Service {
      constructor(@InjectQueue('emails') readonly emails: Queue) {}
    }
    const client = new RecordingClient({ queueName: 'emails' });
    const imports = [connected(), MessagingModule.registerQueue(QUEUES[0])];
    const module = await Test.createTestingModule({ imports, providers: [Service] })
      .overrideProvider(queueToken('emails'))
      .useValue({ client })
      .compile();
    undo.push(() => module.close());
    await module.init();
    await module.get(Service).emails.client.put({ to: 'Ada' }, { type: 'mail' });
    expect(client.tasks).toMatchObject([{ queue: 'emails', type: 'mail', body: { to: 'Ada' } }]);
  });

  it('says in the log that a contract is of a queue that is not registered, and puts its tasks all the same', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const Elsewhere = defineTask('elsewhere', { queue: 'others', payload: Invoice });
    const app = await start({ imports: [connected(), MessagingModule.registerQueue(QUEUES[0])] });
    for (const orderId of [1, 2]) await app.get(TaskClient).put(Elsewhere, { orderId });
    expect(
      warn.mock.calls.flat().filter((line) => /"others" of a contract is not registered/.test(String(line))),
    ).toHaveLength(1);
    expect(broker.messages('others')).toHaveLength(2);
    warn.mockRestore();
  });

  it('drains them all when it is closed', async () => {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    @Injectable()
    class Slow {
      @TaskHandler('slow', { queue: 'emails' })
      async slow(): Promise<void> {
        await ended;
        done.push('slow');
      }
    }
    const app = await start({ imports: [connected(), MessagingModule.registerQueue(...QUEUES)], providers: [Slow] });
    const { client, worker } = app.get<Queue>('mercury.queue emails');
    const started = new Promise((resolve) => worker.events.once('started', resolve));
    await client.put({}, { type: 'slow' });
    await started;
    const closed = app.close();
    end();
    await closed;
    expect(done).toEqual(['slow']);
    await expect(client.put({}, { type: 'slow' })).rejects.toMatchObject({ code: 'PUBLISH_NOT_SENT' });
  });

  const TCP = { transport: Transport.TCP as const, options: { host: '127.0.0.1', port: 0 } };

  it.each<[string, (module: new () => object) => Promise<INestApplicationContext>]>([
    ['an application context', (module) => NestFactory.createApplicationContext(module, { logger: false })],
    [
      'a hybrid application',
      async (module) => {
        const app = await NestFactory.create(module, new FastifyAdapter(), { logger: false });
        app.connectMicroservice(TCP);
        await app.startAllMicroservices();
        return app.init();
      },
    ],
    [
      'a microservice',
      async (module) => {
        const app = await NestFactory.createMicroservice(module, { ...TCP, logger: false });
        await app.listen();
        return app;
      },
    ],
  ])('starts as %s', async (_what, create) => {
    @Controller()
    class Others {
      @MessagePattern('mail')
      mail(): void {
        done.push('of another transport');
      }
    }
    const imports = [connected(), MessagingModule.registerQueue(...QUEUES)];
    const app = await create(program({ imports, providers: [Mails], controllers: [Others] }));
    undo.push(() => app.close());
    await app.get<Queue>('mercury.queue emails').client.put({ to: 'Bo' }, { type: 'mail' });
    await broker.untilIdle();
    expect(done).toEqual(['mail to Bo']);
  });
});

it('an application that a SIGTERM would end in the midst of its tasks says so, once', async () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
  const imports = [connected(), MessagingModule.registerQueue(...QUEUES)];
  const signals = process.listeners('SIGTERM');
  process.removeAllListeners('SIGTERM');
  try {
    await start({ imports, providers: [Mails, Invoices] });
    await broker.untilIdle();
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('call app.enableShutdownHooks(), or start it by runUntilSignal')],
    ]);
    warn.mockClear();
    process.on('SIGTERM', () => undefined);
    await start({ imports, providers: [Mails, Invoices] });
    await broker.untilIdle();
    expect(warn).not.toHaveBeenCalled();
  } finally {
    process.removeAllListeners('SIGTERM');
    for (const listener of signals) process.on('SIGTERM', listener);
    warn.mockRestore();
  }
});

describe('a schedule on a method', () => {
  it('runs it at each tick, as a task of its queue', async () => {
    @Injectable()
    class Chasing {
      @Schedule('every-hour', '0 * * * *', { queue: 'invoices' })
      chase(@Ctx() { task }: TaskContext): void {
        done.push(`${task.type} ${task.queue} ${task.id}`);
      }
    }
    broker = new MemoryBroker(new Date('2026-03-01T10:59:00Z'));
    await start({ imports: [connected(), MessagingModule.registerQueue(...QUEUES)], providers: [Chasing] });
    await broker.untilIdle();
    await broker.advance(3_600_000);
    expect(done).toEqual(['every-hour invoices every-hour@2026-03-01T11:00:00.000Z']);
  });
});

describe('a handler', () => {
  const contexts: unknown[] = [];

  @Injectable()
  class Guard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      done.push(`${context.getType()} guard of ${context.getClass().name}.${context.getHandler().name}`);
      return true;
    }
  }

  @Injectable({ scope: Scope.REQUEST })
  class PerTask {
    constructor(
      @Inject(REQUEST) readonly request: { getPattern(): string; getData(): unknown; getContext(): unknown },
    ) {
      contexts.push(request.getContext());
    }
  }

  it.each(['providers', 'controllers'] as const)(
    'of %s has the guards of its class, by their own classes',
    async (kind) => {
      @Injectable()
      @Controller()
      @UseGuards(Guard)
      class Guarded {
        @TaskHandler('guarded')
        handle(): void {
          done.push('handled');
        }
      }
      const app = await start({ imports: [connected()], [kind]: [Guarded] });
      await app.get(WorkerClient).put({}, { type: 'guarded' });
      await broker.untilIdle();
      expect(done).toEqual(['rpc guard of Guarded.handle', 'handled']);
    },
  );

  it.each(['providers', 'controllers'] as const)('of %s in the scope of its task is made for each', async (kind) => {
    @Injectable()
    @Controller()
    class Scoped {
      constructor(@Inject(PerTask) private readonly perTask: PerTask) {}

      @TaskHandler('scoped')
      handle(): void {
        done.push(`${this.perTask.request.getPattern()} ${JSON.stringify(this.perTask.request.getData())}`);
      }
    }
    contexts.length = 0;
    const parts =
      kind === 'providers' ? { providers: [PerTask, Scoped] } : { providers: [PerTask], controllers: [Scoped] };
    const app = await start({ imports: [connected()], ...parts });
    for (const number of [1, 2]) await app.get(WorkerClient).put({ number }, { type: 'scoped' });
    await broker.untilIdle();
    expect(done.sort()).toEqual(['scoped {"number":1}', 'scoped {"number":2}']);
    expect(contexts).toEqual([expect.any(TaskContext), expect.any(TaskContext)]);
  });

  it('runs in the AsyncLocalStorage that an interceptor of the application has opened', async () => {
    const storage = new AsyncLocalStorage<string>();
    @Injectable()
    class Traced implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        const { id } = context.switchToRpc().getContext<TaskContext>().task;
        return new Observable((subscriber) => storage.run(id, () => next.handle().subscribe(subscriber)));
      }
    }
    @Injectable()
    class Handler {
      @TaskHandler('traced')
      async handle(): Promise<void> {
        await Promise.resolve();
        done.push(`traced ${storage.getStore()}`);
      }
    }
    const tracing = { provide: APP_INTERCEPTOR, useClass: Traced };
    const app = await start({ imports: [connected()], providers: [Handler, tracing] });
    for (const id of ['one', 'two']) await app.get(WorkerClient).put({}, { type: 'traced', id });
    await broker.untilIdle();
    expect(done.sort()).toEqual(['traced one', 'traced two']);
  });

  it('has the guards of the application that are made for each request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class RequestGuard extends Guard {}
    const app = await start({
      imports: [connected(), MessagingModule.registerQueue(QUEUES[0])],
      providers: [Mails, { provide: APP_GUARD, useClass: RequestGuard }],
    });
    await app.get<Queue>('mercury.queue emails').client.put({ to: 'Cy' }, { type: 'mail' });
    await broker.untilIdle();
    expect(done).toEqual(['rpc guard of Mails.send', 'mail to Cy']);
  });
});
