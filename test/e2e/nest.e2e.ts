import {
  CanActivate,
  Catch,
  Controller,
  ExecutionContext,
  Injectable,
  Module,
  NestInterceptor,
  RpcExceptionFilter,
  UseFilters,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
  type CallHandler,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IsInt, IsString, Min } from 'class-validator';
import { map, of, throwError, type Observable } from 'rxjs';
import { DiscardTask, Worker, WorkerClient, deadQueueOf, type JsonObject, type Task } from '@mercury/messaging';
import {
  MessagingConnections,
  MessagingModule,
  TaskContext,
  TaskHandler,
  HandlerWorker,
} from '@mercury/messaging/nest';
import { HealthModule } from '@mercury/messaging/nest/health';
import { MetricsModule } from '@mercury/messaging/nest/metrics';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { Collector, until } from '../support/until';

const seen = new Collector<string>();
const LEVELS_MS = [100];

class Greeting {
  @IsString()
  name!: string;

  @IsInt()
  @Min(1)
  times!: number;
}

@Injectable()
class OnlyPolite implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getContext<TaskContext>().task.headers['traceparent'] === undefined;
  }
}

@Injectable()
class Counting implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { task } = context.switchToRpc().getContext<TaskContext>();
    seen.push(`interceptor ${task.type}`);
    return next.handle().pipe(map(() => undefined));
  }
}

class ShopClosed extends Error {}

@Catch(ShopClosed)
class ShopClosedFilter implements RpcExceptionFilter<ShopClosed> {
  catch(error: ShopClosed): Observable<never> {
    return throwError(() => new DiscardTask(error.message, { code: 'SHOP_CLOSED' }));
  }
}

@Catch(RangeError)
class ForgivingFilter implements RpcExceptionFilter<RangeError> {
  catch(): Observable<string> {
    return of('forgiven');
  }
}

@Controller()
class GreetingTasks {
  @TaskHandler('greet')
  @UseInterceptors(Counting)
  greet(@Payload() greeting: Greeting, @Ctx() { task }: TaskContext): void {
    seen.push(`greet ${greeting.constructor.name} ${greeting.name} ${greeting.times} attempt ${task.attempt}`);
  }

  @TaskHandler('plain-error')
  plainError(): void {
    throw new TypeError('the reason');
  }

  @TaskHandler('guarded')
  @UseGuards(OnlyPolite)
  guarded(): void {
    seen.push('guarded');
  }

  @TaskHandler('global-filter')
  globalFilter(): void {
    throw new ShopClosed('closed on Sundays');
  }

  @TaskHandler('own-filter')
  @UseFilters(ForgivingFilter)
  ownFilter(): void {
    throw new RangeError('too far');
  }

  @TaskHandler('observable')
  observable(): Observable<string> {
    return throwError(() => new DiscardTask('from a stream', { code: 'STREAM_FAILED' }));
  }

  @TaskHandler('patient', { maxAttempts: 2, retryDelaysMs: [1] })
  patient(): void {
    throw new Error('twice');
  }

  @TaskHandler('slow', { timeoutMs: 50 })
  slow(@Ctx() { task }: TaskContext): Promise<void> {
    return new Promise((resolve) => task.signal.addEventListener('abort', () => resolve()));
  }
}

let rabbit: Rabbit;
let app: INestApplication;
let queueName: string;
let client: WorkerClient;

async function startApp(module: Type): Promise<INestApplication> {
  const started = await NestFactory.create(module, new FastifyAdapter(), { logger: ['error'] });
  started.useGlobalPipes(new ValidationPipe({ transform: true }));
  started.useGlobalFilters(new ShopClosedFilter());
  await started.init();
  return started;
}

async function deathOf(type: string, payload: JsonObject, options: { traceparent?: string } = {}): Promise<JsonObject> {
  await client.put(payload, { type, ...options });
  await until(`dead letter of ${type}`, async () => ((await rabbit.depth(deadQueueOf(queueName))) ?? 0) > 0);
  return (await rabbit.take(deadQueueOf(queueName)))?.properties.headers as JsonObject;
}

beforeAll(async () => {
  rabbit = await Rabbit.connect();
  queueName = uniqueName('nest');
  const options = { rabbitUrl: rabbitUrl(), queueName, retryDelaysMs: LEVELS_MS, maxAttempts: 1 };

  @Module({ imports: [MessagingModule.forRoot(options), HealthModule, MetricsModule], controllers: [GreetingTasks] })
  class AppModule {}

  app = await startApp(AppModule);
  client = app.get(WorkerClient);
});

afterAll(async () => {
  await app.close();
  await rabbit.deleteQueues(queueName, LEVELS_MS);
  await rabbit.close();
});

describe('a @TaskHandler method', () => {
  it('gets its payload as an instance of its class, from our client and from a foreign program alike', async () => {
    await client.put({ name: 'Ada', times: 2 }, { type: 'greet' });
    await rabbit.send(queueName, '{"type":"greet","name":"Grace","times":3}');
    await seen.atLeast(4);
    expect(seen.values).toContain('greet Greeting Ada 2 attempt 1');
    expect(seen.values).toContain('greet Greeting Grace 3 attempt 1');
  });

  it('runs within its interceptors', () => {
    expect(seen.values.filter((line) => line === 'interceptor greet')).toHaveLength(2);
  });

  it('never sees an invalid payload: dead letter at once, naming each field', async () => {
    const headers = await deathOf('greet', { name: 7, times: 0, extra: true });
    expect(headers).toMatchObject({ 'x-error-code': 'INVALID_PAYLOAD', 'x-attempt': 1 });
    expect(headers['x-error-message']).toMatch(/name must be a string/);
    expect(headers['x-error-message']).toMatch(/times must not be less than 1/);
  });

  it('never sees a field that its class does not know', async () => {
    const headers = await deathOf('greet', { name: 'Ada', times: 1, extra: true });
    expect(headers['x-error-message']).toMatch(/extra should not exist/);
  });

  it('has its own error in the dead letter, not "Internal server error"', async () => {
    expect(await deathOf('plain-error', {})).toMatchObject({
      'x-error-code': 'HANDLER_FAILED',
      'x-error-message': 'TypeError: the reason',
    });
  });

  it('runs behind its guards', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(await deathOf('guarded', {}, { traceparent })).toMatchObject({ 'x-error-code': 'HANDLER_FAILED' });
    await client.put({}, { type: 'guarded' });
    await until('the polite one', () => seen.values.includes('guarded'));
  });

  it('fails as a global exception filter says', async () => {
    expect(await deathOf('global-filter', {})).toMatchObject({
      'x-error-code': 'SHOP_CLOSED',
      'x-error-message': 'closed on Sundays',
    });
  });

  it('has failed also when its own exception filter returns a value', async () => {
    expect(await deathOf('own-filter', {})).toMatchObject({
      'x-error-code': 'HANDLER_FAILED',
      'x-error-message': 'RangeError: too far',
    });
  });

  it('may return an Observable', async () => {
    expect(await deathOf('observable', {})).toMatchObject({ 'x-error-code': 'STREAM_FAILED' });
  });

  it('has the attempts of its options', async () => {
    expect(await deathOf('patient', {})).toMatchObject({ 'x-error-code': 'HANDLER_FAILED', 'x-attempt': 2 });
  });

  it('has the timeout of its options', async () => {
    expect(await deathOf('slow', {})).toMatchObject({ 'x-error-code': 'HANDLER_TIMEOUT' });
  });

  it('must exist in the end: a task of an unknown type is a dead letter after its last attempt', async () => {
    expect(await deathOf('nobody-does-this', {})).toMatchObject({ 'x-error-code': 'UNKNOWN_TYPE', 'x-attempt': 1 });
  });
});

describe('two Nest applications in one process', () => {
  it('do not disturb each other: closing one leaves the other working', async () => {
    const otherQueue = uniqueName('nest-other');
    const audited = new Collector<JsonObject>();

    @Injectable()
    class ReportWorker extends Worker {
      constructor(connections: MessagingConnections) {
        super({ connections, queueName: otherQueue, capacity: 1, retryDelaysMs: LEVELS_MS });
      }

      handler(task: Task): void {
        audited.push(task.body);
      }
    }

    @Module({
      imports: [
        MessagingModule.forRootAsync({
          useFactory: async () => ({ rabbitUrl: rabbitUrl(), queueName: otherQueue, retryDelaysMs: LEVELS_MS }),
        }),
        HealthModule,
        MetricsModule,
      ],
      providers: [ReportWorker],
    })
    class OtherModule {}

    const other = await NestFactory.create(OtherModule, new FastifyAdapter(), { logger: ['error'] });
    await other.init();
    await other.get(WorkerClient).put({ type: 'report' });
    expect(await audited.atLeast(1)).toEqual([{ type: 'report' }]);
    await other.close();

    expect(app.get(HandlerWorker).problem).toBeUndefined();
    const settled = new Promise((resolve) => app.get(HandlerWorker).events.once('settled', resolve));
    await client.put({ name: 'Ada', times: 1 }, { type: 'greet' });
    expect(await settled).toMatchObject({ outcome: { kind: 'success' } });
    await rabbit.deleteQueues(otherQueue, LEVELS_MS);
  });
});
