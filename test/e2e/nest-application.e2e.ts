import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Logger, WorkerClient, type JsonObject } from '@mercury/messaging';
import { MessagingConnections, MessagingModule, Queues, TaskHandler } from '@mercury/messaging/nest';
import { HealthModule } from '@mercury/messaging/nest/health';
import { MetricsModule } from '@mercury/messaging/nest/metrics';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { Collector, until } from '../support/until';

const LEVELS_MS = [100];

let rabbit: Rabbit;

beforeAll(async () => {
  rabbit = await Rabbit.connect();
});

afterAll(() => rabbit.close());

describe('an injected subclass of Logger', () => {
  it('listens from the start of the application to its end', async () => {
    const bus = uniqueName('bus');
    const heard = new Collector<JsonObject>();

    @Injectable()
    class AuditLogger extends Logger {
      constructor(connections: MessagingConnections) {
        super({ connections, name: bus });
      }

      override handleCritical(data: JsonObject): void {
        heard.push(data);
      }
    }

    @Module({
      imports: [
        MessagingModule.forRoot({
          rabbitUrl: rabbitUrl(),
          queueName: uniqueName('nest-audit'),
          retryDelaysMs: LEVELS_MS,
        }),
      ],
      providers: [AuditLogger],
    })
    class AuditModule {}

    const audit = await NestFactory.create(AuditModule, new FastifyAdapter(), { logger: ['error'] });
    await audit.init();
    const logger = audit.get(AuditLogger);
    await logger.start();
    await logger.critical({ disk: 'full' });
    expect(await heard.atLeast(1)).toEqual([{ disk: 'full' }]);
    await audit.close();
    await rabbit.use((channel) => channel.deleteExchange(bus));
  });
});

describe('an application that takes its time to initialise', () => {
  it('begins with its first task when it has, not before', async () => {
    const slowQueue = uniqueName('nest-slow');
    const order = new Collector<string>();

    @Injectable()
    class Database {
      async onModuleInit(): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 500));
        order.push('database ready');
      }
    }

    @Controller()
    class Handler {
      @TaskHandler('report')
      report(): void {
        order.push('task');
      }
    }

    @Module({
      imports: [MessagingModule.forRoot({ rabbitUrl: rabbitUrl(), queueName: slowQueue, retryDelaysMs: LEVELS_MS })],
      providers: [Database],
      controllers: [Handler],
    })
    class SlowModule {}

    await using early = new WorkerClient({ rabbitUrl: rabbitUrl(), queueName: slowQueue, retryDelaysMs: LEVELS_MS });
    await early.put({}, { type: 'report' });
    const slow = await NestFactory.create(SlowModule, new FastifyAdapter(), { logger: ['error'] });
    await slow.listen(0, '127.0.0.1');
    expect(await order.atLeast(2)).toEqual(['database ready', 'task']);
    await slow.close();
    await rabbit.deleteQueues(slowQueue, LEVELS_MS);
  });
});

describe('an application whose broker is away', () => {
  it('starts, and says that it is not ready and why', async () => {
    @Injectable()
    class Reports {
      @TaskHandler('report')
      report(): void {}
    }

    @Module({
      imports: [
        MessagingModule.forRoot({ rabbitUrl: 'amqp://127.0.0.1:1' }),
        MessagingModule.registerQueue({ name: 'reports' }),
        HealthModule,
        MetricsModule,
      ],
      providers: [Reports],
    })
    class AwayModule {}

    const away = await NestFactory.create(AwayModule, new FastifyAdapter(), { logger: false });
    await away.listen(0, '127.0.0.1');
    await until('the reason', () =>
      /cannot be reached/.test(away.get(Queues).find('reports')?.worker.problem?.message ?? ''),
    );
    const response = await fetch(`${await away.getUrl()}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { 'worker reports': { code: 'BROKER_UNREACHABLE' } } });
    expect((await fetch(`${await away.getUrl()}/health/live`)).status).toBe(200);
    const metrics = await (await fetch(`${await away.getUrl()}/metrics`)).text();
    expect(metrics).toContain('mercury_worker_capacity{queue="reports"} 10');
    await away.close();
  });
});
