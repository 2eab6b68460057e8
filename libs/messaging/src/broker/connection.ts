import { randomUUID } from 'node:crypto';
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import type { Clock } from '../clock';
import { BrokerError } from '../errors';
import { Events } from '../events';
import { THIS_PROCESS } from '../this-process';
import { addressesOf } from './broker-url';
import { frameMaxOf } from './channel-inside';
import { connectionProblem } from './connection-problem';
import { OfThisCopy } from './copy';
import { checkFrameMax } from './frame-max';
import { ReconnectingLink, type Link, type MakeLink, type SocketOptions } from './link';
import { endWhenSilent, heartbeatOf, isBlocked, socketOf, writeTogether } from './socket';
import { socketOptionsOf, type TlsOptions } from './tls';

/** Unless the URL says otherwise. */
const HEARTBEAT_S = 15;
const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 3_000;
const CLOSE_CHANNEL_TIMEOUT_MS = 1_000;

/**
 * One connection for publishing and one for consuming: while an alarm is on, the broker stops reading from a
 * connection that publishes, and acks sent on it would wait too (RabbitMQ docs, alarms).
 */
export interface Connections {
  publishing: Connection;
  consuming: Connection;
  /** The time that tasks go by. Default: this machine's. */
  readonly clock?: Clock;
}

/** Where a broker is, and how it is reached. */
export interface BrokerAddress {
  readonly urls: readonly string[];
  readonly tls?: TlsOptions | undefined;
  readonly link?: MakeLink | undefined;
}

const reconnecting: MakeLink = (addresses, options) => new ReconnectingLink(addresses, options);

/** So that not all processes gather on the first node of a cluster. */
function shuffled<Item>(items: readonly Item[]): Item[] {
  const left = [...items];
  return items.flatMap(() => left.splice(Math.floor(Math.random() * left.length), 1));
}

interface StateEvents {
  up: [];
  down: [problem: BrokerError];
  /** A reconnect attempt failed. */
  failed: [problem: BrokerError];
  blocked: [problem: BrokerError];
  unblocked: [];
}

/** A name for the broker behind these URLs and who uses it, whatever their order; without passwords. */
export function brokerOf(urls: readonly string[]): string {
  const places = urls.map((url) => {
    const { protocol, username, host, pathname } = new URL(url);
    return `${protocol}//${username}@${host}${pathname}`;
  });
  return places.sort().join(' ');
}

/** How our connections are made: the options of the socket, and what amqplib takes beside them. */
function socketOptions(purpose: string, tls: TlsOptions = {}): SocketOptions {
  return {
    // Without it Nagle's algorithm holds a small publish back for some 20 ms.
    noDelay: true,
    keepAlive: true,
    timeout: CONNECT_TIMEOUT_MS,
    ...socketOptionsOf(tls),
    clientProperties: { connection_name: `mercury ${purpose} ${THIS_PROCESS}` },
  };
}

/**
 * A connection to the broker, and what is wrong with it. It hands out plain amqplib channels: whoever opens one owns it and
 * replaces it when it closes. That it comes back when it is lost is up to its link.
 */
export class Connection extends OfThisCopy {
  readonly events = new Events<StateEvents>();
  private currentProblem: BrokerError | undefined = new BrokerError('BROKER_UNREACHABLE', 'Not connected yet.');
  private closing: Promise<void> | undefined;

  /** Connects in the background, once somebody waits for it. @throws ConfigError `CONFIG_INVALID` for a URL that cannot be used. */
  static open({ urls, tls, link = reconnecting }: BrokerAddress, purpose: string): Connection {
    const addresses = shuffled(addressesOf(urls)).map((address) => ({ heartbeat: HEARTBEAT_S, ...address }));
    return new Connection(link(addresses, socketOptions(purpose, tls), purpose), brokerOf(urls));
  }

  /** @param broker which one it leads to: the same for all connections to the same one. */
  constructor(
    private readonly link: Link,
    readonly broker: string = randomUUID(),
  ) {
    super();
    link.events
      .on('up', (model) => this.isUp(model))
      .on('failed', (cause) => this.events.emit('failed', this.fail(cause)))
      .on('down', (cause) => this.events.emit('down', this.fail(cause)))
      .on('blocked', (reason) => this.events.emit('blocked', this.block(reason)))
      .on('unblocked', () => {
        this.currentProblem = undefined;
        this.events.emit('unblocked');
      });
    if (link.model) this.isUp(link.model);
  }

  /** Why nothing can be published now; undefined when all is well. */
  get problem(): BrokerError | undefined {
    return this.currentProblem;
  }

  get connected(): boolean {
    return this.link.model !== undefined;
  }

  /** As was negotiated, 0 for none; undefined while there is no connection. */
  get heartbeatS(): number | undefined {
    return this.link.model && heartbeatOf(this.link.model);
  }

  /** Resolves once connected, at once if it is. Rejects with the signal's reason when that aborts first. */
  async untilConnected(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.link.open();
    if (this.link.model) return;
    await new Promise<void>((resolve, reject) => {
      const finish = () => {
        this.events.off('up', finish);
        signal.removeEventListener('abort', finish);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      this.events.on('up', finish);
      signal.addEventListener('abort', finish);
    });
  }

  /**
   * Opens a channel in confirm mode. Its `error` event is always heard, so that a channel error never crashes the
   * process; `close` tells the owner.
   * @throws BrokerError `BROKER_UNREACHABLE`, `BROKER_CHANNEL_LOST`, `BROKER_FRAME_TOO_SMALL`.
   */
  async openChannel(): Promise<ConfirmChannel> {
    const { model } = this.link;
    if (!model) throw this.currentProblem ?? new BrokerError('BROKER_UNREACHABLE', 'Not connected to the broker.');
    checkFrameMax(frameMaxOf(model));
    try {
      const channel = await model.createConfirmChannel();
      channel.on('error', () => undefined);
      return channel;
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new BrokerError('BROKER_CHANNEL_LOST', `The broker gave no channel: ${text}.`, { cause });
    }
  }

  /** Closes within 3 s: politely if the broker answers, by ending the socket if not. Safe to call twice. */
  close(): Promise<void> {
    this.closing ??= this.closeWithDeadline();
    return this.closing;
  }

  private async closeWithDeadline(): Promise<void> {
    const polite = this.link.close().catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.link.destroy(new Error('The broker did not answer the close in time.'));
        resolve();
      }, CLOSE_TIMEOUT_MS);
    });
    await Promise.race([polite, deadline]);
    clearTimeout(timer);
  }

  private isUp(model: ChannelModel): void {
    this.currentProblem = undefined;
    const socket = socketOf(model);
    if (socket) {
      endWhenSilent(socket, heartbeatOf(model));
      writeTogether(socket);
    }
    if (isBlocked(model)) this.block('it had begun before');
    this.events.emit('up');
  }

  private block(reason: string): BrokerError {
    this.currentProblem = new BrokerError('BROKER_BLOCKED', `The broker takes no messages now: ${reason}.`);
    return this.currentProblem;
  }

  private fail(cause: unknown): BrokerError {
    this.currentProblem = connectionProblem(cause);
    return this.currentProblem;
  }
}

/**
 * Closes a channel, and never fails. Does not wait for a broker that is gone or does not answer: amqplib's own close
 * then never ends.
 */
export async function closeChannel(channel: ConfirmChannel): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_CHANNEL_TIMEOUT_MS);
    channel.once('close', resolve);
    const close = async () => channel.close();
    close().then(resolve, () => resolve());
  });
  clearTimeout(timer);
}
