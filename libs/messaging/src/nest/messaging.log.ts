import { Logger } from '@nestjs/common';
import { BrokerError, MercuryError } from '../errors';
import { OncePerMinute } from '../once-per-minute';
import type { Scheduler } from '../schedules/scheduler';

/** What the module tells in Nest's log. */
export class MessagingLog {
  private readonly log = new Logger('Messaging');
  private hasAsked = false;

  /** A death is an error, all else a warning. */
  tellProblemsOf(events: { on(name: 'problem', listener: (problem: MercuryError) => void): unknown }): void {
    const told = new OncePerMinute();
    events.on('problem', ({ code, message }) => {
      // What is missing or different has a message of its own; all else of the broker is the same, however it says it.
      const isWait = code.startsWith('BROKER_');
      if (isWait && !told.isDue(code.startsWith('BROKER_TOPOLOGY') ? message : code)) return;
      if (code === 'TASK_DEAD') this.log.error(message);
      else this.log.warn(message);
    });
  }

  tellTicksOf({ events, queueName }: Scheduler): void {
    events.on('leading', () => this.log.log(`Enqueues the schedules of queue "${queueName}" from now on`));
    events.on('standby', () => this.log.log(`Leaves the schedules of queue "${queueName}" to another replica`));
    events.on('enqueued', ({ id }) => this.log.debug(`Enqueued ${id}`));
    events.on('missed', ({ schedule, first, last }) =>
      this.log.warn(`Ticks of schedule "${schedule}" were missed: ${first.toISOString()} to ${last.toISOString()}`),
    );
  }

  /** Why something could not be started. Stopped while it still connects is no error; what is wrong with the broker is told as a problem. */
  tellFailure(error: unknown): void {
    const isTold = error instanceof BrokerError || (error instanceof MercuryError && error.code === 'STOPPED');
    if (!isTold) this.log.error(String(error));
  }

  /** Once, where nobody listens. */
  askForSignals(): void {
    if (this.hasAsked || process.listenerCount('SIGTERM') > 0) return;
    this.hasAsked = true;
    this.log.warn(
      'A SIGTERM would end this process in the midst of its tasks: call app.enableShutdownHooks(), or start it by runUntilSignal.',
    );
  }
}
