import type { Clock } from '../clock';
import { MercuryError } from '../errors';
import type { Events } from '../events';
import { encodeTask } from '../tasks/codec';
import { backoffMs } from '../timing';
import type { SchedulerEvents } from './events';
import type { Leadership } from './leadership';
import { stepOf, tickId, type Schedule, type Step } from './schedule';
import { adoptSchedules, type ScheduleState } from './schedule-state';

const REFUSED_AGAIN_CAP_MS = 1_000;
/** The state in hand is replaced by a new one before a broker could find its ack overdue (consumer_timeout is a minute at least). */
const RENEW_EVERY_MS = 30_000;
/** Clocks differ by less; ticks that are done further ahead are those of a wrong one. */
const AHEAD_MS = 60_000;
const MOST_AT_ONCE = 100;

/** What a scheduler is for the one who enqueues. */
export interface EnqueueingHost {
  readonly schedules: readonly Schedule[];
  readonly maxPayloadBytes: number;
  readonly state: ScheduleState;
  readonly clock: Clock;
  readonly events: Events<SchedulerEvents>;
  /** Why nothing can be sent now. */
  brokerProblem(): MercuryError | undefined;
  onLeading(): void;
  /** Tells a problem once for as long as it lasts. */
  tell(problem: MercuryError | undefined): void;
  /** What the work gives; tells when the broker lets it wait. */
  inTime<Result>(work: Promise<Result>): Promise<Result>;
}

/** What a leader does: puts the tasks of the ticks, and notes each in the state. */
export class Enqueueing {
  constructor(private readonly host: EnqueueingHost) {}

  /** Until it is lost, or to stop. */
  async run(leadership: Leadership, ended: AbortSignal): Promise<void> {
    const { schedules } = this.host;
    adoptSchedules(this.host.state, schedules, this.host.clock.nowMs());
    await this.host.inTime(leadership.store());
    this.host.onLeading();
    let renewAtMs = performance.now() + RENEW_EVERY_MS;
    for (let failures = 0; !ended.aborted;) {
      const refusal = await this.enqueueDue(leadership, ended);
      if (performance.now() >= renewAtMs) {
        adoptSchedules(this.host.state, schedules, this.host.clock.nowMs());
        await this.host.inTime(leadership.store());
        renewAtMs = performance.now() + RENEW_EVERY_MS;
      }
      failures = refusal ? failures + 1 : 0;
      this.host.tell(refusal ?? this.aheadOfClock());
      await this.host.clock.delay(refusal ? backoffMs(failures, REFUSED_AGAIN_CAP_MS) : this.sleepMs(), ended);
    }
  }

  /** Everything that is due, each tick noted before the next of its schedule. Returns why something could not be enqueued. */
  private async enqueueDue(leadership: Leadership, ended: AbortSignal): Promise<MercuryError | undefined> {
    while (!ended.aborted) {
      // A put that the broker does not read now would be enqueued whenever it reads again, also one that is to be skipped.
      const problem = this.host.brokerProblem();
      if (problem) return problem;
      const nowMs = this.host.clock.nowMs();
      const due = this.host.schedules
        .map((schedule) => ({ schedule, step: this.stepOf(schedule, nowMs) }))
        .filter(({ step }) => step.kind !== 'wait')
        .slice(0, MOST_AT_ONCE);
      if (due.length === 0) return undefined;
      const takes = due.map(({ schedule, step }) => this.take(leadership, schedule, step));
      const results = await this.host.inTime(Promise.allSettled(takes));
      await this.host.inTime(leadership.store());
      const refused = results.find((result) => result.status === 'rejected');
      if (refused) return this.refusalOf(refused.reason);
    }
    return undefined;
  }

  private async take(leadership: Leadership, schedule: Schedule, step: Step): Promise<void> {
    const { name, type, body, ttlMs } = schedule;
    if (step.kind === 'enqueue') {
      const id = tickId(name, step.tickMs);
      await leadership.put(encodeTask(body, { id, type, ttlMs }, this.host.maxPayloadBytes, this.host.clock.nowMs()));
      this.note(schedule, step.tickMs);
      const tick = new Date(step.tickMs);
      this.host.events.emit('enqueued', { schedule: name, tick, id, lateMs: this.host.clock.nowMs() - step.tickMs });
    }
    if (step.kind === 'miss') {
      this.note(schedule, step.lastMs);
      this.host.events.emit('missed', { schedule: name, first: new Date(step.firstMs), last: new Date(step.lastMs) });
    }
  }

  /** The queue is full: tried again here. It is gone, or nobody knows: tried again on a new channel, by whoever leads then. */
  private refusalOf(reason: unknown): MercuryError {
    if (reason instanceof MercuryError && reason.code === 'PUBLISH_NACKED') return reason;
    throw reason;
  }

  private stepOf(schedule: Schedule, nowMs: number): Step {
    return stepOf(schedule, this.host.state.get(schedule.name)?.doneMs ?? nowMs, nowMs);
  }

  private note({ name, rule }: Schedule, doneMs: number): void {
    this.host.state.set(name, { rule, doneMs, seenMs: this.host.clock.nowMs() });
  }

  private sleepMs(): number {
    const nowMs = this.host.clock.nowMs();
    const waits = this.host.schedules.map((schedule) => {
      const step = this.stepOf(schedule, nowMs);
      return step.kind === 'wait' ? step.untilMs - nowMs : 0;
    });
    return Math.min(this.host.clock.longestSleepMs, ...waits);
  }

  private aheadOfClock(): MercuryError | undefined {
    const nowMs = this.host.clock.nowMs();
    for (const { name } of this.host.schedules) {
      const { doneMs = 0 } = this.host.state.get(name) ?? {};
      if (doneMs > nowMs + AHEAD_MS) return ahead(name, doneMs, nowMs);
    }
    return undefined;
  }
}

function ahead(name: string, doneMs: number, nowMs: number): MercuryError {
  const message =
    `Ticks of schedule "${name}" are done until ${new Date(doneMs).toISOString()}, but here it is ${new Date(nowMs).toISOString()}: ` +
    'it waits until then. Is the clock right? If not, and wrong ticks are done: see docs/operations.md.';
  return new MercuryError('SCHEDULE_AHEAD', message);
}
