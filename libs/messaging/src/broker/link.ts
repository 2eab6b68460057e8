import { connect, type ChannelModel, type Options } from 'amqplib';
import { Events } from '../events';
import { controllerForMany } from '../signals';
import { backoffMs, delay } from '../timing';
import { hasEnded, socketOf } from './socket';

const RECONNECT_CAP_MS = 5_000;

export interface LinkEvents {
  up: [model: ChannelModel];
  /** The connection was lost; undefined when nothing tells why. */
  down: [cause: unknown];
  /** An attempt to connect failed. */
  failed: [cause: unknown];
  blocked: [reason: string];
  unblocked: [];
}

/** What brings a connection about, and again whenever it is lost. */
export interface Link {
  readonly events: Events<LinkEvents>;
  /** The connection; undefined while there is none. */
  readonly model: ChannelModel | undefined;
  /** Begins to connect, unless it has begun. */
  open(): void;
  /** Ends it for good, and an attempt that is under way. Resolves once it has ended, which a broker that does not answer never lets happen. */
  close(): Promise<void>;
  /** Ends the socket of a connection whose broker does not answer its close. */
  destroy(reason: Error): void;
}

/**
 * Makes a link over these addresses in turn.
 * @param socketOptions of Node.js's sockets, and what amqplib takes beside them.
 * @param purpose what it is for, such as `publishing`.
 */
export type MakeLink = (addresses: readonly Options.Connect[], socketOptions: SocketOptions, purpose: string) => Link;

export type SocketOptions = Readonly<Record<string, unknown>>;

/** A link of our own: over the given addresses in turn, with exponential backoff and full jitter. */
export class ReconnectingLink implements Link {
  readonly events = new Events<LinkEvents>();
  private current: ChannelModel | undefined;
  private readonly closing = controllerForMany();
  private running: Promise<void> | undefined;

  constructor(
    private readonly addresses: readonly Options.Connect[],
    private readonly socketOptions: SocketOptions,
  ) {}

  get model(): ChannelModel | undefined {
    return this.current;
  }

  open(): void {
    this.running ??= this.keepConnected();
  }

  async close(): Promise<void> {
    const { current } = this;
    this.closing.abort();
    // Not waited for: amqplib's own close never ends when the socket does so first. What is told as `close` comes in every case.
    const close = async () => current?.close();
    close().catch(() => undefined);
    await this.running;
    // A blocked connection with unsent bytes would live on until they are taken.
    if (current) socketOf(current)?.destroy();
  }

  destroy(reason: Error): void {
    // With an error, or amqplib does not hear of it and its heartbeat keeps the process alive.
    if (this.current) socketOf(this.current)?.destroy(reason);
  }

  private async keepConnected(): Promise<void> {
    const { signal } = this.closing;
    let failures = 0;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const model = await this.connect(attempt);
        failures = 0;
        await this.untilClosed(model);
      } catch (cause) {
        if (!signal.aborted) this.events.emit('failed', cause);
      }
      failures += 1;
      await delay(backoffMs(failures, RECONNECT_CAP_MS), signal);
    }
  }

  /** The socket hears of the end only while it connects: later it would cut what closes politely. */
  private async connect(attempt: number): Promise<ChannelModel> {
    const connecting = new AbortController();
    const onClosing = () => connecting.abort();
    this.closing.signal.addEventListener('abort', onClosing);
    try {
      const address = this.addresses[attempt % this.addresses.length] ?? {};
      const options: Record<string, unknown> = { ...this.socketOptions, signal: connecting.signal };
      return await connect(address, options);
    } finally {
      this.closing.signal.removeEventListener('abort', onClosing);
    }
  }

  private untilClosed(model: ChannelModel): Promise<void> {
    return new Promise((resolve) => {
      model.on('blocked', (reason: string) => this.events.emit('blocked', reason));
      model.on('unblocked', () => this.events.emit('unblocked'));
      // Comes just before `close`, which tells the same.
      model.on('error', () => undefined);
      model.once('close', (cause: unknown) => {
        resolve();
        // One that never was up may end late, when another one is.
        if (this.current !== model) return;
        this.current = undefined;
        if (!this.closing.signal.aborted) this.events.emit('down', cause);
      });
      // Its end may have come together with its beginning: then nobody was there to hear of it.
      if (hasEnded(model)) {
        if (!this.closing.signal.aborted) this.events.emit('failed', new Error('The connection ended as it began.'));
        return resolve();
      }
      // It came about in the very moment of the end.
      if (this.closing.signal.aborted) return void socketOf(model)?.destroy(new Error('The connection is closed.'));
      this.current = model;
      this.events.emit('up', model);
    });
  }
}
