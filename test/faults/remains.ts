import { connect, type ConsumeMessage } from 'amqplib';
import type { Found } from './checker';
import { letPass, within } from './wait';

type Connection = Awaited<ReturnType<typeof connect>>;

const TAKE_TIMEOUT_MS = 30_000;
const MOST_TRIES = 3;
/** Nothing came for so long: the queue is empty. */
const QUIET_MS = 300;

/**
 * Takes everything out of the queues, by plain amqplib: what is still there belongs into the accounts. A broker that
 * has just come back may refuse for a while.
 */
export async function takeAll(url: string, queues: readonly string[]): Promise<Found[]> {
  const found: Found[] = [];
  for (const queue of queues) await takeQueue(url, queue, found);
  return found;
}

async function takeQueue(url: string, queue: string, found: Found[]): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await within(TAKE_TIMEOUT_MS, `everything out of ${queue}`, readQueue(url, queue, found));
    } catch (error) {
      if (tries === MOST_TRIES) throw error;
      await letPass(1_000);
    }
  }
}

async function readQueue(url: string, queue: string, found: Found[]): Promise<void> {
  const connection = await connect(url);
  const broken = new Promise<never>((_resolve, reject) => {
    connection.on('error', reject);
    connection.on('close', () => reject(new Error('The connection was closed.')));
  });
  broken.catch(() => undefined);
  try {
    await Promise.race([broken, readAll(connection, queue, found)]);
  } finally {
    void connection.close().catch(() => undefined);
  }
}

async function readAll(connection: Connection, queue: string, found: Found[]): Promise<void> {
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  let quietSinceMs = Infinity;
  await channel.consume(queue, (message) => {
    quietSinceMs = performance.now();
    if (!message) return;
    found.push({ id: idOf(message), reason: reasonOf(message) });
    // At once: RabbitMQ 4 gives a consumer no more than 2,000 that are unacked.
    channel.ack(message);
  });
  quietSinceMs = Math.min(quietSinceMs, performance.now());
  while (performance.now() - quietSinceMs < QUIET_MS) await letPass(50);
  // Answered after the acks before it.
  await channel.close();
}

function idOf(message: ConsumeMessage): string {
  return String(message.properties.messageId ?? message.content.toString('latin1').slice(0, 40));
}

/** Ours, or that of the broker for what it dead-lettered itself. */
function reasonOf(message: ConsumeMessage): string | undefined {
  const headers = (message.properties.headers ?? {}) as Record<string, unknown>;
  const code = headers['x-error-code'];
  if (typeof code === 'string') return code;
  const [death] = (headers['x-death'] ?? []) as { reason?: string }[];
  return death?.reason;
}
