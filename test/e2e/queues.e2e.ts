import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { IsInt } from 'class-validator';
import { TaskClient, defineTask } from '@mercury/messaging';
import { MessagingModule, Queues, TaskHandler } from '@mercury/messaging/nest';
import { Rabbit, rabbitUrl, uniqueName } from '../support/rabbit';
import { until } from '../support/until';

const LEVELS_MS = [100];
const names = { mails: uniqueName('mails'), invoices: uniqueName('invoices'), reports: uniqueName('reports') };

class Numbered {
  @IsInt()
  number!: number;
}

const Mail = defineTask('mail', { queue: names.mails, payload: Numbered });
const Invoice = defineTask('invoice', { queue: names.invoices, payload: Numbered });
const Report = defineTask('report', { queue: names.reports, payload: Numbered });

/** How many of a queue run, have run, and ran at once. */
class Runs {
  now = 0;
  most = 0;
  done = 0;

  async run(work: Promise<unknown>): Promise<void> {
    this.now += 1;
    this.most = Math.max(this.most, this.now);
    await work;
    this.now -= 1;
    this.done += 1;
  }
}

const runs = { mails: new Runs(), invoices: new Runs(), reports: new Runs() };
let openPrinter: () => void = () => undefined;
const printer = new Promise<void>((resolve) => (openPrinter = resolve));

@Injectable()
class Office {
  @TaskHandler(Mail)
  mail(@Payload() _mail: Numbered): Promise<void> {
    return runs.mails.run(pause(5));
  }

  @TaskHandler(Invoice)
  invoice(@Payload() _invoice: Numbered): Promise<void> {
    return runs.invoices.run(pause(5));
  }

  @TaskHandler(Report)
  report(@Payload() _report: Numbered): Promise<void> {
    return runs.reports.run(printer);
  }
}

@Module({
  imports: [
    MessagingModule.forRoot({ rabbitUrl: rabbitUrl(), retryDelaysMs: LEVELS_MS }),
    MessagingModule.registerQueue(
      { name: names.mails, capacity: 20 },
      { name: names.invoices, capacity: 2 },
      { name: names.reports, capacity: 1 },
    ),
  ],
  providers: [Office],
})
class OfficeModule {}

let app: INestApplicationContext;

beforeAll(async () => {
  app = await NestFactory.createApplicationContext(OfficeModule, { logger: ['error'] });
});

afterAll(async () => {
  openPrinter();
  await app.close();
  const rabbit = await Rabbit.connect();
  for (const name of Object.values(names)) await rabbit.deleteQueues(name, LEVELS_MS);
  await rabbit.close();
});

it('three queues of one application keep to their capacities under load, and one that is stuck does not slow the others', async () => {
  const tasks = app.get(TaskClient);
  const numbered = (count: number) => Array.from({ length: count }, (_, number) => ({ payload: { number } }));
  const outcomes = await Promise.all([
    tasks.putAll(Report, numbered(5)),
    tasks.putAll(Mail, numbered(1_000)),
    tasks.putAll(Invoice, numbered(100)),
  ]);
  expect(outcomes.flat().filter(({ stored }) => !stored)).toEqual([]);
  await until('mails and invoices are done', () => runs.mails.done === 1_000 && runs.invoices.done === 100, 15_000);
  expect([runs.mails.most, runs.invoices.most, runs.reports.most]).toEqual([20, 2, 1]);
  expect([runs.reports.now, runs.reports.done]).toEqual([1, 0]);
  openPrinter();
  await until('the reports are done, too', () => runs.reports.done === 5);
  expect(runs.reports.most).toBe(1);
  const problems = app.get(Queues).all.map(({ name, worker }) => [name, worker.problem?.code]);
  expect(problems).toEqual(Object.values(names).map((name) => [name, undefined]));
});
