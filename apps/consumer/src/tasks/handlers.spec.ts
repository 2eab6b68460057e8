import type { Task } from '@mercury/messaging';
import { TaskContext } from '@mercury/messaging/nest';
import { SleepHandler } from './sleep.handler';
import { WebhookHandler } from './webhook.handler';
import { WebhookSender, type WebhookDelivery } from './webhook-sender';

const task = (signal: AbortSignal): Task => ({
  id: 'order-4711',
  type: 'any',
  body: {},
  attempt: 2,
  maxAttempts: 6,
  isLastAttempt: false,
  tags: [],
  queue: 'tasks',
  enqueuedAtMs: 1_000,
  headers: {},
  signal,
  log: () => undefined,
});

describe('webhook.deliver', () => {
  const payload = { url: 'https://example.com/', event: 'order.paid', data: { orderId: 4711 } };

  class RecordingSender extends WebhookSender {
    readonly sent: WebhookDelivery[] = [];

    override async send(delivery: WebhookDelivery): Promise<number> {
      this.sent.push(delivery);
      if (delivery.signal.aborted) throw new Error('not delivered');
      return 204;
    }
  }

  it('sends the payload under the task’s id, with its time and its signal', async () => {
    const sender = new RecordingSender({ allowedHosts: [], timeoutMs: 1_000 });
    const { signal } = new AbortController();
    await new WebhookHandler(sender).deliver(payload, new TaskContext(task(signal)));
    expect(sender.sent).toEqual([{ id: 'order-4711', enqueuedAtMs: 1_000, payload, signal }]);
    expect(sender.sent[0]?.signal).toBe(signal);
  });

  it('fails as the sender fails', async () => {
    const sender = new RecordingSender({ allowedHosts: [], timeoutMs: 1_000 });
    const delivering = new WebhookHandler(sender).deliver(payload, new TaskContext(task(AbortSignal.abort())));
    await expect(delivering).rejects.toThrow('not delivered');
  });
});

describe('sleep', () => {
  it('ends after the time that it is given', async () => {
    const startedAtMs = performance.now();
    await new SleepHandler().sleep({ ms: 30 }, new TaskContext(task(new AbortController().signal)));
    // Timers may fire up to a millisecond early.
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(29);
  });

  it('ends early, as failed, when nobody waits for it any more', async () => {
    const nobody = new AbortController();
    const sleeping = new SleepHandler().sleep({ ms: 600_000 }, new TaskContext(task(nobody.signal)));
    nobody.abort();
    await expect(sleeping).rejects.toMatchObject({ name: 'AbortError' });
  });
});
