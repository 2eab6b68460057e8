import { AsyncResource } from 'node:async_hooks';
import type { ConfirmChannel } from 'amqplib';
import {
  BrokerError,
  brokerProblem,
  isHopeless,
  type MercuryError,
  PublishError,
  type PublishFailure,
} from '../errors';
import type { Events } from '../events';
import { controllerForMany } from '../signals';
import { backoffMs, delay, within } from '../timing';
import { closeChannel, type Connection } from './connection';
import { Deadline } from './deadline';
import type { ClientEvents } from './events';
import { UnwritableError } from './field-table';
import { Line, hasRoom } from './line';
import { Waiting, type Entry, type Outgoing } from './outgoing';

const REOPEN_CAP_MS = 5_000;
const SETUP_END_MS = 1_000;
const SMALL = { bytes: 0 };

/**
 * Publishes with confirms: each publish ends as confirmed, or with a PublishError that says what is known.
 * At most 1,000 messages and 32 MiB are unconfirmed at once; more wait for their turn, in order, until their deadline.
 * Nothing is buffered beyond that deadline, and nothing is ever sent a second time.
 */
export class Publisher {
  private readonly lines = new Set<Line>();
  private current: Line | undefined;
  private readonly waiting = new Waiting();
  private readonly closed = controllerForMany();
  private readonly onBlocked = () => this.refuseWaiting();
  private readonly onFailed = (problem: BrokerError) => {
    if (isHopeless(problem)) this.refuseWaiting();
  };
  /** In the context of whoever made the publisher: that of the first publish may be of one request, whose log it is. */
  private readonly startKeeper = AsyncResource.bind(() => this.keepOpen());
  private keeper: Promise<void> | undefined;
  private readonly deadline: Deadline<Entry>;
  private setupProblem: MercuryError | undefined;
  private isExtended = false;
  /** So often something was asked for that a setup under way may not know of. */
  private renewals = 0;
  private whenIdle: (() => void) | undefined;

  /**
   * @param setup runs before each new channel: declares what the publishes need, and what only some do once `extend` was called.
   * @param timeoutMs from `publish` to the broker's confirm, the wait for a connection included.
   */
  constructor(
    private readonly connection: Connection,
    private readonly setup: (isExtended: boolean) => Promise<void>,
    private readonly timeoutMs: number,
    private readonly events: Events<ClientEvents>,
  ) {
    this.deadline = new Deadline(
      timeoutMs,
      () => this.withDeadline(),
      (entry) => this.failLate(entry),
    );
    connection.events.on('blocked', this.onBlocked).on('failed', this.onFailed);
  }

  /** Opens the channel and keeps it open from now on. `publish` does so by itself. */
  open(): void {
    this.keeper ??= this.startKeeper();
  }

  get isOpen(): boolean {
    return this.keeper !== undefined;
  }

  /** Why a publish would not succeed now; undefined when it would. */
  get problem(): MercuryError | undefined {
    if (this.connection.problem) return this.connection.problem;
    if (this.isUnanswered()) return new BrokerError('BROKER_BLOCKED', 'The broker does not confirm what it was sent.');
    if (this.current) return undefined;
    return this.setupProblem ?? new BrokerError('BROKER_CHANNEL_LOST', 'The channel for publishing is not open yet.');
  }

  /** Whether a message would be sent at once: who has many of them sends the next one then. */
  get hasRoom(): boolean {
    return !this.problem && this.waiting.size === 0 && hasRoom(this.lines, SMALL);
  }

  /**
   * Resolves when the broker has confirmed the message.
   * @throws PublishError `PUBLISH_RETURNED`, `PUBLISH_NACKED`, `PUBLISH_NOT_SENT`, `PUBLISH_UNKNOWN`.
   */
  publish(message: Outgoing): Promise<void> {
    return new Promise((resolve, reject) => {
      const startedAtMs = performance.now();
      const entry: Entry = {
        messageId: message.properties.messageId,
        bytes: message.content.length,
        patient: message.patient ?? false,
        startedAtMs,
        returned: undefined,
        settled: false,
        resolve,
        reject,
      };
      if (this.closed.signal.aborted) return this.fail(entry, 'not-sent', 'The publisher is closed.');
      if (this.connection.problem?.code === 'BROKER_BLOCKED') return this.refuse(entry);
      if (this.waiting.isFull(entry)) return this.fail(entry, 'not-sent', 'Too many messages wait to be sent already.');
      this.open();
      if (this.current && this.waiting.size === 0 && hasRoom(this.lines, entry))
        this.send(this.current, entry, message);
      else this.waiting.add(entry, message);
      this.deadline.arm();
    });
  }

  /** Runs the setup again and goes on with a new channel: something that was declared is gone. */
  renew(): void {
    this.renewals += 1;
    if (this.current) this.replace(this.current);
  }

  /** What is published from now on is sent once the setup has run with what only some publishes need. */
  extend(): void {
    if (this.isExtended) return;
    this.isExtended = true;
    this.renew();
  }

  /** Resolves when nothing is waiting or unconfirmed any more, or after `timeoutMs`. Then closes the channel. */
  async close(drainTimeoutMs: number): Promise<void> {
    await this.untilIdle(drainTimeoutMs);
    this.closed.abort(new BrokerError('BROKER_CHANNEL_LOST', 'The publisher is closed.'));
    this.connection.events.off('blocked', this.onBlocked).off('failed', this.onFailed);
    for (const entry of this.waiting.entries()) this.fail(entry, 'not-sent', 'The publisher was closed first.');
    for (const line of this.lines) {
      this.lose(line);
      await closeChannel(line.channel);
    }
    this.deadline.stop();
    // A setup that a frozen broker does not answer ends with the connection.
    await within(SETUP_END_MS, this.keeper);
  }

  private async keepOpen(): Promise<void> {
    const { signal } = this.closed;
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.connection.untilConnected(signal);
        const { renewals } = this;
        await this.setup(this.isExtended);
        if (renewals !== this.renewals) continue;
        const channel = await this.connection.openChannel();
        failures = 0;
        // Closed meanwhile: nobody would ever end the use of this channel. Or something more is needed: first it has to be there.
        if (signal.aborted || renewals !== this.renewals) await closeChannel(channel);
        else await this.use(channel);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.report(error);
        await delay(backoffMs(failures, REOPEN_CAP_MS), signal);
      }
    }
  }

  /** Sends on this channel until it closes or is replaced. */
  private use(channel: ConfirmChannel): Promise<void> {
    return new Promise((resolve) => {
      const line = new Line(channel, (lost) => this.lose(lost), resolve);
      this.lines.add(line);
      this.current = line;
      this.setupProblem = undefined;
      this.events.emit('ready');
      this.sendWaiting();
    });
  }

  private sendWaiting(): void {
    for (const entry of this.waiting.entries()) {
      const line = this.current;
      if (!line || !hasRoom(this.lines, entry)) return;
      const message = this.waiting.delete(entry);
      if (message) this.send(line, entry, message);
    }
  }

  private send(line: Line, entry: Entry, message: Outgoing): void {
    const { routingKey } = message;
    entry.routingKey = typeof routingKey === 'string' ? routingKey : routingKey();
    line.add(entry);
    try {
      line.publishing.publish(message, entry.routingKey, this.onConfirm(line, entry));
    } catch (cause) {
      line.delete(entry);
      const text = cause instanceof Error ? cause.message : String(cause);
      this.fail(entry, 'not-sent', `The message could not be written to the channel: ${text}`, cause);
      if (!(cause instanceof UnwritableError)) this.replace(line);
    }
  }

  /** A function of its own, so that it does not hold the message. */
  private onConfirm(line: Line, entry: Entry) {
    return (nack: unknown): void => {
      // After the channel is lost its callbacks say nothing that lose has not said.
      if (!line.delete(entry)) return;
      this.confirmed(entry, nack);
      if (this.waiting.size > 0) this.sendWaiting();
    };
  }

  private confirmed(entry: Entry, nack: unknown): void {
    if (entry.returned !== undefined) {
      this.fail(entry, 'returned', `No queue took the message: is "${entry.routingKey}" declared? (${entry.returned})`);
    } else if (nack) {
      this.fail(entry, 'nacked', 'The broker refused the message: the queue is full.', nack);
    } else if (!entry.settled) {
      entry.settled = true;
      this.events.emit('published', 'confirmed', performance.now() - entry.startedAtMs);
      entry.resolve();
      this.checkIdle();
    }
  }

  /** A channel on which a publish threw is not trusted to count confirms: it settles what it has and is then closed. */
  private replace(line: Line): void {
    if (this.current !== line) return;
    this.current = undefined;
    line.left();
    void line.channel
      .waitForConfirms()
      .catch(() => undefined)
      .then(() => closeChannel(line.channel));
  }

  private lose(line: Line): void {
    this.lines.delete(line);
    if (this.current === line) this.current = undefined;
    line.left();
    const entries = line.clear();
    const { problem } = line;
    // A right that is missing closes the channel over the first message, and nothing tells which one it was.
    const isRefused = problem?.code === 'BROKER_ACCESS_REFUSED' && entries.length === 1;
    for (const entry of entries) {
      if (isRefused) this.fail(entry, 'not-sent', problem.message, problem);
      else
        this.fail(
          entry,
          'unknown',
          `${problem?.message ?? 'The channel closed before the confirm came'}: repeat it with the same id.`,
          problem,
        );
    }
    if (problem) this.report(problem);
    // A line that was replaced before it was lost has held room that the new one can use now.
    this.sendWaiting();
  }

  private refuseWaiting(): void {
    for (const entry of this.waiting.entries()) this.refuse(entry);
  }

  private refuse(entry: Entry): void {
    const problem = this.problem;
    this.fail(entry, 'not-sent', problem?.message ?? 'The broker takes no messages now.', problem);
  }

  private fail(entry: Entry, outcome: PublishFailure, message: string, cause?: unknown): void {
    this.waiting.delete(entry);
    if (entry.settled) return;
    entry.settled = true;
    this.events.emit('published', outcome, performance.now() - entry.startedAtMs);
    entry.reject(new PublishError(outcome, message, cause === undefined ? undefined : { cause }));
    this.checkIdle();
  }

  /** What is patient and sent waits as long as its channel lives. */
  private *withDeadline(): Generator<Entry> {
    for (const entry of this.pending()) if (!entry.patient || this.waiting.has(entry)) yield entry;
  }

  private failLate(entry: Entry): void {
    const { timeoutMs, problem } = this;
    if (this.waiting.has(entry)) {
      const why = problem?.message ?? 'too many messages wait for their confirm.';
      this.fail(entry, 'not-sent', `Not sent within ${timeoutMs} ms: ${why}`, problem);
    } else {
      // It keeps its place among the unconfirmed until its confirm comes or the channel closes.
      this.fail(entry, 'unknown', `No confirm within ${timeoutMs} ms: repeat it with the same id.`, problem);
    }
  }

  /** Whether something that was sent waits for its confirm longer than any caller does. */
  private isUnanswered(): boolean {
    return [...this.lines].some(({ unconfirmed }) => {
      const [oldest] = unconfirmed;
      return oldest !== undefined && this.deadline.isLate(oldest);
    });
  }

  private *pending(): Generator<Entry> {
    for (const line of this.lines) for (const entry of line.unconfirmed) if (!entry.settled) yield entry;
    yield* this.waiting.entries();
  }

  private async untilIdle(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
      this.checkIdle();
    });
  }

  private checkIdle(): void {
    if (this.whenIdle && this.pending().next().done) this.whenIdle();
  }

  private report(error: unknown): void {
    const problem = brokerProblem('Publishing could not be set up; trying again', error);
    this.setupProblem = problem;
    this.events.emit('problem', problem);
    if (isHopeless(problem)) this.refuseWaiting();
  }
}
