import { Controller } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { WorkerClient } from '../../tasks/worker-client';
import { MemoryBroker } from '../../testing';
import { MessagingConnections, MessagingModule, TaskHandler, HandlerWorker } from '..';

@Controller()
class Reports {
  @TaskHandler('long')
  long(): void {
    const now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now + 8_000);
  }
}

afterEach(() => jest.restoreAllMocks());

it('a method that holds the event loop is told with its type, though guards and pipes come before it', async () => {
  const broker = new MemoryBroker();
  const module = MessagingModule.forRoot({ rabbitUrl: 'amqp://localhost', queueName: 'reports' });
  const testing = Test.createTestingModule({ imports: [module], controllers: [Reports] });
  const compiled = await testing.overrideProvider(MessagingConnections).useValue(broker.connect()).compile();
  const app = compiled.createNestApplication(new FastifyAdapter());
  try {
    await app.init();
    const problems: string[] = [];
    app.get(HandlerWorker).events.on('problem', ({ code, message }) => problems.push(`${code} ${message}`));
    await app.get(WorkerClient).put({}, { type: 'long' });
    await broker.untilIdle();
    expect(problems).toEqual([expect.stringMatching(/^LOOP_HELD A handler of "long" held the event loop for 8\.0 s/)]);
  } finally {
    await app.close();
  }
});
