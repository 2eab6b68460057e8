import { EventEmitter } from 'node:events';
import { FakeLink } from '../../../../test/support/fake-link';
import { Connection } from '../broker/connection';
import type { MercuryError } from '../errors';
import { Worker } from './worker';

/** Its broker accepts connections; whether it answers anything on a channel is up to the test. */
class BrokerLink extends FakeLink {
  answer: (value: object) => void = () => undefined;

  override connect(): void {
    // As amqplib's: its promise resolves with the broker's answer, however late.
    const answered = new Promise<object>((resolve) => (this.answer = resolve));
    super.connect({ createConfirmChannel: () => answered });
  }
}

class FakeChannel extends EventEmitter {
  readonly assertExchange = async () => ({});
  readonly assertQueue = async () => ({});
  readonly bindQueue = async () => ({});
  readonly prefetch = async () => ({});
  readonly consume = async () => ({});
  readonly cancel = async () => ({});
  readonly close = async () => undefined;
}

class TestWorker extends Worker {
  override handler(): void {}
}

let link: BrokerLink;
let worker: TestWorker;
const problems: MercuryError[] = [];

beforeEach(() => {
  jest.useFakeTimers();
  link = new BrokerLink();
  const connection = new Connection(link);
  worker = new TestWorker({ connections: { publishing: connection, consuming: connection }, queueName: 'reports' });
  problems.splice(0);
  worker.events.on('problem', (problem) => problems.push(problem));
});

afterEach(async () => {
  const stopping = worker.stop();
  await jest.advanceTimersByTimeAsync(60_000);
  await stopping;
  jest.useRealTimers();
});

describe('problem of a worker that starts', () => {
  it('is that it is not started, and then that it is not connected', () => {
    expect(worker.problem?.message).toBe('The worker is not started.');
    void worker.start();
    expect(worker.problem?.message).toBe('Not connected yet.');
  });

  it('names the queue after 10 s without an answer of the broker, as when the queue has no leader', async () => {
    void worker.start();
    link.connect();
    await jest.advanceTimersByTimeAsync(9_999);
    expect(problems).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(worker.problem).toMatchObject({
      code: 'BROKER_BLOCKED',
      message: expect.stringContaining('"reports"') as string,
    });
    expect(problems).toEqual([worker.problem]);
  });

  it('is over when the broker answers at last', async () => {
    const started = worker.start();
    link.connect();
    await jest.advanceTimersByTimeAsync(10_000);
    // Its one channel is given out for all.
    link.answer(new FakeChannel().setMaxListeners(0));
    await started;
    expect(worker.problem).toBeUndefined();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(problems).toHaveLength(1);
  });
});

it('tells its rules, and nothing of its broker', () => {
  const rabbitUrl = 'amqp://user:hunter2@127.0.0.1:1';
  const { rules } = new TestWorker({ rabbitUrl, queueName: 'reports', maxAttempts: 2, retryDelaysMs: [500] });
  expect(rules).toMatchObject({ queueName: 'reports', policy: { maxAttempts: 2, delaysMs: [500] } });
  expect(JSON.stringify(rules)).not.toContain('hunter2');
});
