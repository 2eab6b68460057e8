import type { ConfirmChannel, Message } from 'amqplib';
import type { Deliveries, Delivery } from '../broker/deliveries';
import { suspectQueueOf } from '../broker/topology';
import { MercuryError } from '../errors';
import { delay } from '../timing';
import type { Outcome } from './outcome';

/** So often a task may be delivered without an end before it is suspected of ending its process. */
const MOST_UNENDED_DELIVERIES = 3;
const LOOK_EVERY_MS = 2_000;
/** After some looks at nothing: each costs the broker as much as some ten idle queues. */
const LOOK_IDLE_MS = 10_000;
/** After so long with suspects the others have their turn again. */
const TURN_MS = 5_000;

/** What the worker does for its suspects. */
export interface SuspectHost {
  /** Aborts when the worker is told to stop. */
  readonly leaving: AbortSignal;
  /** Takes no more from the work queue. Resolves once nothing runs. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Runs a suspect to its end, or buries it. */
  runAlone(delivery: Delivery): Promise<void>;
}

/**
 * Whether a task has come so often without an end that it may be what ends its processes. The broker counts in
 * `x-delivery-count` (RabbitMQ docs, quorum queues, poison messages), and overwrites what a publisher may have written there
 * only when it delivers again: of a first delivery it says nothing. The innocent ones that were prefetched beside it are
 * counted like it: which one it is shows when each runs alone.
 */
export function isSuspect({ fields, properties }: Message): boolean {
  const count: unknown = properties.headers?.['x-delivery-count'];
  return fields.redelivered && typeof count === 'number' && count >= MOST_UNENDED_DELIVERIES;
}

/** What becomes of one over which its workers were lost also when it ran alone. */
export const BURIED: Outcome = {
  kind: 'dead',
  failure: {
    code: 'WORKER_LOST',
    message:
      'The worker ended, or lost its connection, each time while this task ran alone: it kills its process, or holds its event loop.',
  },
};

/** What is told of it. */
export function suspected(id: string): MercuryError {
  const message = `Task ${id} was delivered again and again without an end: it runs alone from now on.`;
  return new MercuryError('TASK_SUSPECTED', message);
}

/** Looks after the suspects of a queue: they wait in a queue of their own and run one by one, beside nothing else. */
export class Suspects {
  private readonly queue: string;
  private wake = new AbortController();
  private lookAfterMs = LOOK_EVERY_MS;

  constructor(
    queueName: string,
    private readonly host: SuspectHost,
  ) {
    this.queue = suspectQueueOf(queueName);
  }

  /** Looks now, because there is one. */
  look(): void {
    this.lookAfterMs = LOOK_EVERY_MS;
    this.wake.abort();
  }

  /**
   * Asks for suspects from time to time, also for those of workers that died over them; a suspect is taken only when
   * nothing runs, so that nobody else's end is counted against it. Ends with the channel or the worker.
   */
  async watch(channel: ConfirmChannel, deliveries: Deliveries, lost: AbortSignal): Promise<void> {
    while (!lost.aborted && !this.host.leaving.aborted) {
      await this.untilNextLook(lost);
      if (lost.aborted || this.host.leaving.aborted) return;
      const { messageCount } = await channel.checkQueue(this.queue);
      this.lookAfterMs = messageCount > 0 ? LOOK_EVERY_MS : Math.min(this.lookAfterMs * 2, LOOK_IDLE_MS);
      if (messageCount > 0) await this.takeTurn(channel, deliveries, lost);
    }
  }

  private async takeTurn(channel: ConfirmChannel, deliveries: Deliveries, lost: AbortSignal): Promise<void> {
    const untilMs = performance.now() + TURN_MS;
    await this.host.pause();
    while (!lost.aborted && !this.host.leaving.aborted && performance.now() < untilMs) {
      const message = await channel.get(this.queue);
      if (!message) break;
      await this.host.runAlone(deliveries.of(message));
    }
    // Of a lost channel nothing is left to resume: a new one consumes by itself.
    if (!lost.aborted) await this.host.resume();
  }

  /** With jitter: workers that look at the same time would all pause for the same suspect. */
  private async untilNextLook(lost: AbortSignal): Promise<void> {
    this.wake = new AbortController();
    await delay(this.lookAfterMs * (0.5 + Math.random()), this.wake.signal, lost, this.host.leaving);
  }
}
