import 'reflect-metadata';
import { Controller, Inject, Injectable, Module, type INestApplication } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import { until } from '../../../../test/support/until';
import { Logger, Scheduler, WorkerClient, type JsonObject } from '../index';
import { MemoryBroker, RecordingClient } from '../testing';
import { TaskHandler } from './handlers/task-handler.decorator';
import { TaskContext } from './handlers/task.context';
import { MessagingConnections } from './messaging.connections';
import { MessagingModule } from './messaging.module';

class Report {
  @IsInt()
  month!: number;
}

const rendered: string[] = [];

@Injectable()
class Reports {
  constructor(@Inject(WorkerClient) private readonly client: WorkerClient) {}

  order(month: number): Promise<string> {
    return this.client.put({ month }, { type: 'report' });
  }
}

@Controller()
class ReportHandler {
  constructor(@Inject(Logger) private readonly logger: Logger) {}

  @TaskHandler('report', { maxAttempts: 2 })
  async render(@Payload() report: Report, @Ctx() { task }: TaskContext): Promise<void> {
    rendered.push(`${report.constructor.name} ${report.month} attempt ${task.attempt}`);
    if (report.month === 13) throw new Error('There is no such month.');
    await this.logger.info({ rendered: report.month });
  }
}

@Injectable()
class Listener extends Logger {
  readonly heard: JsonObject[] = [];

  constructor(@Inject(MessagingConnections) connections: MessagingConnections) {
    super({ connections, name: 'logs' });
  }

  override handleInfo(data: JsonObject): void {
    this.heard.push(data);
  }
}

@Module({
  imports: [MessagingModule.forRoot({ rabbitUrl: 'amqp://127.0.0.1:1', queueName: 'reports' })],
  controllers: [ReportHandler],
  providers: [Reports, Listener],
})
class AppModule {}

describe('an application on a MemoryBroker', () => {
  let broker: MemoryBroker;
  let app: INestApplication;

  beforeEach(async () => {
    rendered.splice(0);
    broker = new MemoryBroker();
    const testing = Test.createTestingModule({ imports: [AppModule] });
    const compiled = await testing.overrideProvider(MessagingConnections).useValue(broker.connect()).compile();
    app = compiled.createNestApplication(new FastifyAdapter(), { logger: false });
    await app.init();
    await broker.untilIdle();
  });

  afterEach(() => app.close());

  it('executes its tasks with its handlers, and hears its events', async () => {
    await app.get(Reports).order(11);
    await broker.untilIdle();
    expect(rendered).toEqual(['Report 11 attempt 1']);
    expect(app.get(Listener).heard).toEqual([{ rendered: 11 }]);
  });

  it('tries again after its levels, and buries what has no attempts left', async () => {
    await app.get(Reports).order(13);
    await broker.advance(1_000);
    expect(rendered).toEqual(['Report 13 attempt 1', 'Report 13 attempt 2']);
    expect(broker.messages('reports.dead')).toMatchObject([
      { body: { month: 13 }, headers: { 'x-error-message': 'Error: There is no such month.' } },
    ]);
  });

  it('buries what its pipe refuses, without asking the handler', async () => {
    broker.send('reports', '{"type":"report","month":"May"}');
    await broker.untilIdle();
    expect(rendered).toEqual([]);
    expect(broker.messages('reports.dead')).toMatchObject([{ headers: { 'x-error-code': 'INVALID_PAYLOAD' } }]);
  });
});

it('an application that is closed puts no ticks any more, and leaves its schedules to another at once', async () => {
  const broker = new MemoryBroker(new Date('2026-11-24T00:00:00Z'));
  const schedules = [{ name: 'nightly', cron: '0 3 * * *', type: 'report', body: { month: 1 } }];
  const options = { rabbitUrl: 'amqp://127.0.0.1:1', queueName: 'reports', schedules };
  const testing = Test.createTestingModule({ imports: [MessagingModule.forRoot(options)] });
  const compiled = await testing.overrideProvider(MessagingConnections).useValue(broker.connect()).compile();
  const app = compiled.createNestApplication(new FastifyAdapter(), { logger: false });
  await app.init();
  const scheduler = app.get(Scheduler);
  await until('it leads', () => scheduler.isLeading);
  await broker.advance(86_400_000);
  await app.close();
  expect(scheduler.isLeading).toBe(false);
  await expect(scheduler.start()).rejects.toMatchObject({ code: 'STOPPED' });
  await broker.advance(86_400_000);
  expect(broker.messages('reports').map(({ id }) => id)).toEqual(['nightly@2026-11-24T03:00:00.000Z']);
});

it("with topology 'check' nothing is declared, neither by its clients nor by its logger, and each says what is missing", async () => {
  const broker = new MemoryBroker();
  const options = { rabbitUrl: 'amqp://127.0.0.1:1', queueName: 'reports', topology: 'check' as const };
  const testing = Test.createTestingModule({ imports: [MessagingModule.forRoot(options)] });
  const compiled = await testing.overrideProvider(MessagingConnections).useValue(broker.connect()).compile();
  const app = compiled.createNestApplication(new FastifyAdapter(), { logger: false });
  await app.init();
  const missing = { code: 'PUBLISH_NOT_SENT', cause: { code: 'BROKER_TOPOLOGY_MISSING' } };
  const outcome = (work: Promise<unknown>) => work.catch((error: unknown) => error);
  const outcomes = await Promise.all([
    outcome(app.get(WorkerClient).put({ type: 'report' })),
    outcome(app.get(Logger).info({})),
  ]);
  await app.close();
  expect(outcomes).toMatchObject([missing, missing]);
});

it('a RecordingClient stands for the WorkerClient of a provider under test', async () => {
  const client = new RecordingClient();
  const testing = Test.createTestingModule({ providers: [Reports, { provide: WorkerClient, useValue: client }] });
  await (await testing.compile()).get(Reports).order(11);
  expect(client.tasks).toMatchObject([{ type: 'report', body: { month: 11 } }]);
});
