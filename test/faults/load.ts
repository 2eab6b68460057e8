import { InvalidMessageError, PublishError, type WorkerClient } from '@mercury/messaging';
import type { PutLedger, PutResult } from './ledger';
import { letPass, until, within } from './wait';
import type { WorkBody } from './work';

const STUCK_TIMEOUT_MS = 120_000;
/** After a refusal: a caller that comes back at once would only burn the processor. */
const AGAIN_AFTER_MS = 100;

export type Put = (body: WorkBody, id: string) => Promise<PutResult>;

export interface LoadOptions {
  /** How many must end confirmed. A put that does not is made again, as another task with another id. */
  tasks: number;
  body?: (number: number) => WorkBody;
  /** Default: as fast as the confirms come. */
  perSecond?: number;
  /** Puts in flight at most. Default 200. */
  concurrency?: number;
}

/** Puts tasks and writes down what it was told of each. */
export class Load {
  /** Resolves when all are confirmed or the load was stopped. */
  readonly done: Promise<void>;
  running = true;
  private stopped = false;
  private begun = 0;
  private open: number;
  private readonly startedAtMs = performance.now();
  private lastConfirmAtMs = performance.now();

  constructor(
    private readonly name: string,
    private readonly ledger: PutLedger,
    private readonly put: Put,
    private readonly options: LoadOptions,
  ) {
    this.open = options.tasks;
    const callers = Array.from({ length: options.concurrency ?? 200 }, () => this.call());
    this.done = Promise.all(callers)
      .then(() => undefined)
      .finally(() => (this.running = false));
    // Awaited by the fault, sooner or later.
    this.done.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  /** Resolves when so many are confirmed. */
  async confirmed(count: number): Promise<void> {
    const enough = () => this.ledger.confirmedAtMs.size >= count || !this.running;
    await until(`${count} tasks are confirmed`, enough, STUCK_TIMEOUT_MS);
  }

  private async call(): Promise<void> {
    while (this.open > 0 && !this.stopped) {
      this.open -= 1;
      const number = this.begun++;
      if (this.options.perSecond) await this.untilTurn(number, this.options.perSecond);
      const id = `${this.name}-${number}`;
      const result = await this.put(this.options.body?.(number) ?? {}, id);
      this.ledger.write(id, result);
      if (result === 'confirmed') this.lastConfirmAtMs = performance.now();
      else await this.again();
    }
  }

  private async untilTurn(number: number, perSecond: number): Promise<void> {
    const dueInMs = this.startedAtMs + (number * 1000) / perSecond - performance.now();
    if (dueInMs > 1) await letPass(dueInMs);
  }

  private async again(): Promise<void> {
    if (performance.now() - this.lastConfirmAtMs > STUCK_TIMEOUT_MS) throw new Error('Nothing is confirmed any more.');
    this.open += 1;
    await letPass(AGAIN_AFTER_MS);
  }
}

/** Puts through the library. */
export function putWith(client: Pick<WorkerClient, 'put'>): Put {
  return async (body, id) => {
    try {
      await client.put(body, { id, type: 'work' });
      return 'confirmed';
    } catch (error) {
      if (error instanceof InvalidMessageError) return 'refused';
      if (error instanceof PublishError) return error.outcome === 'unknown' ? 'unknown' : 'refused';
      throw error;
    }
  };
}

/** Puts through the producer application, as its callers do. Without an answer nobody knows. */
export function putOver(url: string, onAnswer: (status: number, tookMs: number) => void = () => undefined): Put {
  return async (body, id) => {
    const startedAtMs = performance.now();
    try {
      const request = fetch(`${url}/v1/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'sleep', id, payload: { ms: body.ms ?? 0 } }),
      });
      const response = await within(30_000, 'an answer of the producer', request);
      const text = await response.text();
      onAnswer(response.status, performance.now() - startedAtMs);
      if (response.status === 202) return 'confirmed';
      return text.includes('"outcome":"unknown"') ? 'unknown' : 'refused';
    } catch {
      return 'unknown';
    }
  };
}
