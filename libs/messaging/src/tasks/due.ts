import { randomUUID } from 'node:crypto';
import type { ConfirmChannel, Message } from 'amqplib';
import { closeChannel } from '../broker/connection';
import { Deafness, untilDeaf } from '../broker/deafness';
import { delayLevelMs, notBeforeMsOf } from '../broker/delay';
import { Deliveries, type Delivery } from '../broker/deliveries';
import { dueQueueOf } from '../broker/topology';
import type { Clock } from '../clock';
import { BrokerError, MercuryError, brokerProblem } from '../errors';
import { HEADER } from '../headers';
import { LinkedSignal, controllerForMany } from '../signals';
import { backoffMs, delay, within } from '../timing';
import { identify } from './codec';
import type { Settlement } from './settlement';

/** So many delayed tasks a worker moves or holds at once, beside its capacity. It bounds their memory, too. */
const PREFETCH = 100;
const CONSUME_AGAIN_CAP_MS = 5_000;
const BROKER_ANSWER_MS = 3_000;

/** What the worker does for its delayed tasks. */
export interface DueHost {
  /** Aborts when the worker is told to stop. */
  readonly leaving: AbortSignal;
  readonly clock: Clock;
  openChannel(): Promise<ConfirmChannel>;
  /** Declares the queues again. */
  declare(): Promise<void>;
  onProblem(problem: MercuryError): void;
}

/**
 * Moves delayed tasks on. Every level gives them back to `<queue>.due`; from there each goes to the next level or, once
 * its time has come, to the work queue. The last part of the way, shorter than any level, it is held here. On a channel
 * of its own: it takes none of the worker's slots, and goes on while all of them are busy.
 */
export class DueTasks {
  private readonly queue: string;
  private readonly onTheirWay = new Set<Promise<void>>();
  private readonly deafness = new Deafness();
  private currentProblem: MercuryError | undefined;

  constructor(
    queueName: string,
    private readonly settlement: Pick<Settlement, 'settle' | 'sendOn'>,
    private readonly host: DueHost,
  ) {
    this.queue = dueQueueOf(queueName);
  }

  /** Why delayed tasks are not moved on now; undefined when they are. */
  get problem(): MercuryError | undefined {
    return this.currentProblem;
  }

  /** Resolves once no delayed task is on its way through this worker. */
  async untilIdle(): Promise<void> {
    await Promise.all(this.onTheirWay);
  }

  /**
   * Moves tasks on until the worker is told to stop, and then resolves once nothing is on its way any more; at the latest
   * when `gone` aborts. Never rejects.
   */
  async forward(gone: AbortSignal): Promise<void> {
    const over = new LinkedSignal([gone, this.host.leaving]);
    try {
      await this.forwardUntil(over.signal, gone);
    } finally {
      over.release();
    }
    this.currentProblem = undefined;
  }

  private async forwardUntil(over: AbortSignal, gone: AbortSignal): Promise<void> {
    for (let failures = 0; !over.aborted;) {
      try {
        // What failed may have been deleted.
        if (failures > 0) await this.host.declare();
        const channel = await this.host.openChannel();
        await this.consume(channel, gone, over, () => (failures = 0));
      } catch (error) {
        if (over.aborted) break;
        failures += 1;
        this.currentProblem = brokerProblem('Delayed tasks cannot be moved on; trying again', error);
        this.host.onProblem(this.currentProblem);
        await delay(backoffMs(failures, CONSUME_AGAIN_CAP_MS), over);
      }
    }
  }

  private async consume(
    channel: ConfirmChannel,
    gone: AbortSignal,
    over: AbortSignal,
    onConsuming: () => void,
  ): Promise<void> {
    const closed = controllerForMany();
    const lost = new LinkedSignal([closed.signal, gone]);
    const deliveries = new Deliveries(channel, lost.signal);
    const releasing = controllerForMany();
    let end: (problem?: MercuryError) => void = () => undefined;
    const ended = new Promise<MercuryError | undefined>((resolve) => (end = resolve));
    const onOver = () => end();
    over.addEventListener('abort', onOver);
    if (over.aborted) end();
    channel.once('error', (cause: Error) => end(brokerProblem('The channel for delayed tasks was lost', cause)));
    channel.once('close', () => {
      closed.abort();
      end(new BrokerError('BROKER_CHANNEL_LOST', 'The channel for delayed tasks was lost.'));
    });
    this.deafness.begin();
    const onMessage = (message: Message | null) => {
      this.deafness.heard();
      if (!message)
        return end(new BrokerError('BROKER_CHANNEL_LOST', `The broker cancelled: "${this.queue}" deleted?`));
      const moved = this.move(deliveries.of(message), releasing.signal).finally(() => this.onTheirWay.delete(moved));
      this.onTheirWay.add(moved);
    };
    const consumerTag = `mercury-due-${randomUUID()}`;
    try {
      await channel.prefetch(PREFETCH, false);
      await channel.consume(this.queue, onMessage, { consumerTag });
      onConsuming();
      this.currentProblem = undefined;
      const hasRoom = () => this.onTheirWay.size < PREFETCH;
      void untilDeaf(channel, this.queue, this.deafness, hasRoom, lost.signal, over).then((deaf) => {
        if (deaf) end(deaf);
      });
      const problem = await ended;
      if (problem) throw problem;
      // First the cancel, then what is held: the other way round the broker would deliver it here again.
      deliveries.drain();
      const cancelled = channel.cancel(consumerTag);
      releasing.abort();
      await within(BROKER_ANSWER_MS, cancelled);
      await this.untilIdle();
    } finally {
      over.removeEventListener('abort', onOver);
      closed.abort();
      releasing.abort();
      await deliveries.finish();
      await closeChannel(channel);
    }
  }

  /** Holds a task for the rest of its time if that is shorter than any level, and sends it on. */
  private async move(delivery: Delivery, releasing: AbortSignal): Promise<void> {
    try {
      const { clock } = this.host;
      const identity = identify(delivery.message);
      const notBeforeMs = notBeforeMsOf(identity.headers[HEADER.notBeforeMs], clock.nowMs());
      const remainingMs = () => notBeforeMs - clock.nowMs();
      // Again and again, because a timer may end a moment early by this clock.
      while (remainingMs() > 0 && delayLevelMs(remainingMs()) === undefined && !releasing.aborted) {
        await clock.delay(remainingMs(), releasing);
      }
      if (releasing.aborted) await this.settlement.settle(delivery, identity, { kind: 'released' });
      else await this.settlement.sendOn(delivery, identity, remainingMs() > 0 ? notBeforeMs : undefined);
    } catch (cause) {
      // A fault of Mercury itself. Not acked, so not lost: the broker has the task until this channel ends.
      const message = `A delayed task could not be moved on: ${String(cause)}`;
      this.host.onProblem(new MercuryError('NOT_SETTLED', message, { cause }));
    }
  }
}
