import type { ConfirmChannel } from 'amqplib';
import { BrokerError } from '../errors';
import { delay } from '../timing';

const LOOK_EVERY_MS = 2_000;
/** Where nothing comes and nothing waits: each look costs the broker as much as some ten idle queues. */
const LOOK_IDLE_MS = 10_000;
/** So many looks in a row must find the same: the first one may come just before a delivery. */
const LOOKS = 2;
/** Once in five minutes. */
const MOST_LOOKS = 150;

/**
 * Notices that a consumer gets nothing although its queue has something for it. RabbitMQ 3.10 does not cancel the consumers of a quorum
 * queue that is deleted and declared again at once: they wait for ever, and nothing tells them. Where consuming anew did not help it is
 * not deaf but has to wait, as beside the active consumer of a queue that somebody else declared with a single one: then it is
 * suspected half as often each time. One for all consumptions of a consumer.
 */
export class Deafness {
  private hasHeard = false;
  private silentLooks = 0;
  private looksNeeded = LOOKS;

  /** It consumes anew. */
  begin(): void {
    this.hasHeard = false;
    this.silentLooks = 0;
  }

  /** A message came. */
  heard(): void {
    this.hasHeard = true;
  }

  /** Whether a message came since it was asked last: then nobody need ask the broker. */
  get isHearing(): boolean {
    return this.hasHeard;
  }

  /**
   * To be asked from time to time.
   * @param readyCount what waits in the queue.
   * @param hasRoom whether the consumer would take more than it has.
   */
  isDeaf(readyCount: number, hasRoom: boolean): boolean {
    const isSilent = readyCount > 0 && hasRoom && !this.hasHeard;
    if (this.hasHeard) this.looksNeeded = LOOKS;
    this.hasHeard = false;
    this.silentLooks = isSilent ? this.silentLooks + 1 : 0;
    if (this.silentLooks < this.looksNeeded) return false;
    this.looksNeeded = Math.min(this.looksNeeded * 2, MOST_LOOKS);
    return true;
  }
}

/**
 * Looks every two seconds whether the consumer is deaf, or every ten where nothing is to be had, until it is, or a signal aborts. Resolves to the problem if it is. Never rejects: where the
 * broker refuses to answer, the channel is lost, too.
 * @param hasRoom whether it would take more than it has.
 */
export async function untilDeaf(
  channel: Pick<ConfirmChannel, 'checkQueue'>,
  queueName: string,
  deafness: Deafness,
  hasRoom: () => boolean,
  ...signals: readonly AbortSignal[]
): Promise<BrokerError | undefined> {
  for (let pauseMs = LOOK_EVERY_MS; ;) {
    await delay(pauseMs, ...signals);
    if (signals.some(({ aborted }) => aborted)) return undefined;
    const isUnknown = !deafness.isHearing && hasRoom();
    const readyCount = isUnknown ? await readyCountOf(channel, queueName) : 0;
    if (readyCount === undefined) return undefined;
    const isIdle = isUnknown && readyCount === 0;
    pauseMs = isIdle ? Math.min(pauseMs * 2, LOOK_IDLE_MS) : LOOK_EVERY_MS;
    if (deafness.isDeaf(readyCount, hasRoom())) return deaf(queueName);
  }
}

async function readyCountOf(
  channel: Pick<ConfirmChannel, 'checkQueue'>,
  queueName: string,
): Promise<number | undefined> {
  try {
    return (await channel.checkQueue(queueName)).messageCount;
  } catch {
    return undefined;
  }
}

function deaf(queueName: string): BrokerError {
  const message = `The broker has tasks in "${queueName}" but gives this consumer none: it consumes anew. Was the queue deleted and declared again?`;
  return new BrokerError('BROKER_CHANNEL_LOST', message);
}
