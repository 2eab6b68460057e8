import type { ConfirmChannel } from 'amqplib';
import { BrokerError, brokerProblem } from '../errors';
import { closeChannel, type Connection } from './connection';
import type { Definitions } from './definitions';
import { declareExchange, refusalBy, wordsOf } from './refusal';

export interface Place {
  readonly kind: 'exchange' | 'queue';
  readonly name: string;
}

/** Something that is not on the broker as it is defined. */
export interface Difference extends Place {
  /** The broker's own words; undefined for what is missing. */
  readonly text: string | undefined;
}

/** What a connection's user may in no way use is not looked at again: the broker logs each refusal as an error. */
const unseen = new WeakMap<Connection, Set<string>>();

/**
 * What is not there. Asked without declaring anything: that needs no right on RabbitMQ 3.10, and on 4.3 any right on what is asked for. What the
 * user has no right on it does not use, and whether it is there remains unknown.
 */
export async function absentOf(connection: Connection, { exchanges, queues }: Definitions): Promise<Place[]> {
  const absent: Place[] = [];
  const hidden = unseen.get(connection) ?? new Set();
  unseen.set(connection, hidden);
  await using channels = new OneChannel(connection);
  const look = async (place: Place, ask: (channel: ConfirmChannel) => Promise<unknown>) => {
    if (hidden.has(`${place.kind} ${place.name}`)) return;
    const refusal = await channels.refusalOf(ask);
    if (refusal?.code === 403) hidden.add(`${place.kind} ${place.name}`);
    else if (refusal?.code === 404) absent.push(place);
    // 405: it is there, and exclusive to somebody else, which is told when it is compared.
    else if (refusal && refusal.code !== 405) throw refusal;
  };
  for (const { name } of exchanges) await look({ kind: 'exchange', name }, (on) => on.checkExchange(name));
  for (const { name } of queues) await look({ kind: 'queue', name }, (on) => on.checkQueue(name));
  return absent;
}

/**
 * What is missing or is there with other arguments. Bindings are not among it: no method of the protocol tells them.
 * @throws BrokerError `BROKER_ACCESS_REFUSED` when the user may not declare what is there: only then the broker says how it differs.
 */
export async function differencesOf(connection: Connection, definitions: Definitions): Promise<Difference[]> {
  const absent = await absentOf(connection, definitions);
  const isThere = ({ name }: { readonly name: string }) => !absent.some((place) => place.name === name);
  const found: Difference[] = absent.map((place) => ({ ...place, text: undefined }));
  await using channels = new OneChannel(connection);
  for (const exchange of definitions.exchanges.filter(isThere)) {
    const refusal = await channels.refusalOf((channel) => declareExchange(channel, exchange));
    const cause = refusal instanceof BrokerError ? refusal.cause : undefined;
    if (refusal && !(cause instanceof Error)) throw brokerProblem('Exchanges cannot be compared', refusal);
    if (cause instanceof Error) found.push({ kind: 'exchange', name: exchange.name, text: wordsOf(cause) });
  }
  for (const queue of definitions.queues.filter(isThere)) {
    const refusal = await channels.refusalOf(async (channel) => {
      const words = await refusalBy(channel, queue);
      if (words) throw words;
    });
    if (refusal && refusal.code !== 405 && refusal.code !== 406)
      throw brokerProblem('Queues cannot be compared', refusal);
    if (refusal) found.push({ kind: 'queue', name: queue.name, text: wordsOf(refusal) });
  }
  return found;
}

type RefusalError = Error & { readonly code?: number | string };

/** A channel for one question after another: each refusal closes it, and the next question opens a new one. */
class OneChannel implements AsyncDisposable {
  private channel: ConfirmChannel | undefined;

  constructor(private readonly connection: Connection) {}

  async refusalOf(ask: (channel: ConfirmChannel) => Promise<unknown>): Promise<RefusalError | undefined> {
    this.channel ??= await this.connection.openChannel();
    try {
      await ask(this.channel);
      return undefined;
    } catch (error) {
      this.channel = undefined;
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.channel) await closeChannel(this.channel);
  }
}
