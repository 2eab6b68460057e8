import { Injectable, Logger as NestLogger, type OnModuleInit } from '@nestjs/common';
import { Logger, type SettledAttempt } from '@mercury/messaging';
import { HandlerWorker } from '@mercury/messaging/nest';

/** Tells the event bus how tasks end: each finished one as `info`, each dead one as `critical`. Failures are in the log by themselves. */
@Injectable()
export class TaskReports implements OnModuleInit {
  private readonly log = new NestLogger('Tasks');
  private unsent = 0;

  constructor(
    private readonly worker: HandlerWorker,
    private readonly bus: Logger,
  ) {}

  onModuleInit(): void {
    this.worker.events.on('settled', (attempt) => this.report(attempt));
    this.worker.events.on('skipped', ({ id, type, queue }) =>
      this.log.log({ msg: 'task skipped: it has succeeded before', id, type, queue }),
    );
  }

  private report(attempt: SettledAttempt): void {
    const { outcome, durationMs, log: _log, ...task } = attempt;
    const about = { ...task, durationMs: Math.round(durationMs) };
    switch (outcome.kind) {
      case 'success':
        this.log.debug({ msg: 'task succeeded', ...about });
        return this.send('info', { event: 'task.succeeded', ...about });
      case 'postponed':
        return this.log.debug({ msg: 'task postponed', ...about, inMs: outcome.delayMs, ...outcome.reason });
      case 'dead':
        return this.send('critical', { event: 'task.dead', ...about, ...outcome.failure });
      case 'retry':
      case 'released':
        return;
    }
  }

  /** An event is a courtesy: a bus that is away must not hold up or fail the task that it tells about. */
  private send(level: 'info' | 'critical', data: object): void {
    this.bus[level](data).catch((error: unknown) => {
      this.unsent += 1;
      this.log.warn(`An event could not be sent (${this.unsent} so far): ${String(error)}`);
    });
  }
}
