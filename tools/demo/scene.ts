import { readFile } from 'node:fs/promises';
import { deadQueueOf } from '@mercury/messaging';
import { ToolError } from '../broker/project';
import type { Arrival } from './receiver';
import type { Screen } from './screen';
import { CAPACITY, MAX_ATTEMPTS, QUEUE_NAME, RETRY_DELAYS_MS, type System } from './system';

const SLEEPING_TASKS = 12;
const SLEEP_MS = 500;

interface Accepted {
  id: string;
}

/** The acts of the demo. Each shows something, and throws unless it really happened. */
export class Scene {
  constructor(
    private readonly system: System,
    private readonly screen: Screen,
  ) {
    system.onArrival = ({ path, attempt, status }) =>
      screen.from('receiver', `POST ${path}, attempt ${attempt}: answers ${status}`);
  }

  async play(): Promise<void> {
    await this.showCapacity();
    await this.showRetry();
    await this.showDeath();
  }

  private async showCapacity(): Promise<void> {
    const { screen, system } = this;
    screen.heading(`2. Capacity: ${SLEEPING_TASKS} tasks of ${SLEEP_MS} ms, a worker that runs ${CAPACITY} at once`);
    const tasks = Array.from({ length: SLEEPING_TASKS }, () => ({ type: 'sleep', payload: { ms: SLEEP_MS } }));
    const { status, body } = await system.post('/v1/tasks/batch', tasks);
    check(status === 202, `the batch was answered ${status}: ${JSON.stringify(body)}`);
    screen.line('POST /v1/tasks/batch: 202, all on disk');
    let most = 0;
    await system.until(`all ${SLEEPING_TASKS} tasks are done`, async () => {
      const { running, done } = await system.progress();
      most = Math.max(most, running);
      screen.bar(SLEEPING_TASKS - running - done, running, done);
      return done === SLEEPING_TASKS;
    });
    screen.bar(0, 0, SLEEPING_TASKS);
    check(most === CAPACITY, `${most} tasks ran at once, not ${CAPACITY}`);
    screen.good(`never more than ${CAPACITY} ran; the rest waited in the queue, safe from a crash of the worker`);
  }

  private async showRetry(): Promise<void> {
    const { screen, system } = this;
    screen.heading('3. Retry: a webhook whose receiver is busy at first');
    const { id } = await this.post('/busy-once', { orderId: 4711 });
    await system.until('the webhook is delivered', () => this.event('task.succeeded', id) !== undefined);
    const arrivals = this.arrivalsOf(id);
    check(arrivals.map(({ status }) => status).join() === '503,200', `the receiver saw ${JSON.stringify(arrivals)}`);
    check(
      arrivals.every(({ isSigned }) => isSigned),
      'a signature was wrong',
    );
    screen.from('logger', this.event('task.succeeded', id) ?? '');
    screen.good(
      `delivered at attempt 2, ${RETRY_DELAYS_MS[0]} ms later, with the same webhook-id and a good signature`,
    );
  }

  private async showDeath(): Promise<void> {
    const { screen, system } = this;
    screen.heading(`4. Dead letter: a webhook whose receiver stays broken, after ${MAX_ATTEMPTS} attempts`);
    const { id } = await this.post('/broken', { orderId: 4712 });
    await system.until('the critical event', () => this.event('task.dead', id) !== undefined);
    screen.from('logger', this.event('task.dead', id) ?? '');
    check(this.arrivalsOf(id).length === MAX_ATTEMPTS, `the receiver saw ${this.arrivalsOf(id).length} attempts`);
    await system.until('the dead letter is in its queue', async () => (await system.deadLetters()) === 1);
    await system.until('the file has the critical event', async () =>
      (await readFile(system.logFile, 'utf8').catch(() => '')).includes(id),
    );
    screen.good(`kept in the queue ${deadQueueOf(QUEUE_NAME)} with its reason`);
    screen.good(`a critical event went to the stdout of the logger and into ${system.logFile}`);
  }

  private async post(path: '/busy-once' | '/broken', data: object): Promise<Accepted> {
    const payload = { url: this.system.receiver.urlOf(path), event: 'order.paid', data };
    const { status, body } = await this.system.post('/v1/tasks', { type: 'webhook.deliver', payload });
    check(status === 202, `the task was answered ${status}: ${JSON.stringify(body)}`);
    this.screen.line(`POST /v1/tasks: 202 ${JSON.stringify(body)}`);
    return body as Accepted;
  }

  private event(name: string, id: string): string | undefined {
    return this.system.events.find((line) => line.includes(`"${name}"`) && line.includes(id));
  }

  private arrivalsOf(id: string): Arrival[] {
    return this.system.receiver.arrivals.filter(({ taskId }) => taskId === id);
  }
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new ToolError('DEMO_FAILED', `The demo did not go as it should: ${otherwise}.`);
}
