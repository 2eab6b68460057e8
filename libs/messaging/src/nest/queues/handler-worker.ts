import { ConfigError, MercuryError } from '../../errors';
import type { TaskRunner } from '../../tasks/execution';
import { checkRunner } from '../../tasks/options';
import { Worker } from '../../tasks/worker';

interface Handler {
  readonly runner: TaskRunner;
  /** Decorator, class and method, for people. */
  readonly place: string;
}

/** Executes the tasks of a queue with the handlers of a Nest application: its `@TaskHandler` and `@Schedule` methods. */
export class HandlerWorker extends Worker {
  private readonly handlers = new Map<string, Handler>();

  /** The task types that have a handler. */
  get types(): readonly string[] {
    return [...this.handlers.keys()];
  }

  /** @throws ConfigError `CONFIG_INVALID` for a type that has a handler already, and for rules that cannot be. */
  addHandler(type: string, place: string, runner: TaskRunner): void {
    const other = this.handlers.get(type);
    if (other) {
      const problem = `two handlers for the type "${type}" of queue "${this.queueName}": ${other.place} and ${place}`;
      throw new ConfigError('Task handlers', [problem]);
    }
    checkRunner(place, runner);
    this.handlers.set(type, { runner, place });
  }

  override handler(): void {
    throw new MercuryError('NO_HANDLER', 'Tasks of a Nest application are executed by its @TaskHandler methods.');
  }

  protected override runnerOf(type: string): TaskRunner | undefined {
    return this.handlers.get(type)?.runner;
  }

  protected override longestTimeoutMs(): number {
    const own = [...this.handlers.values()].map(({ runner }) => runner.timeoutMs ?? 0);
    return Math.max(super.longestTimeoutMs(), ...own);
  }
}

/** @deprecated The worker of the queue that `forRoot` names: inject `HandlerWorker`, or a `Queue` by `@InjectQueue(name)`. */
export const WorkerTransport = HandlerWorker;
export type WorkerTransport = HandlerWorker;
