import type { ScheduleOptions } from '../../schedules/schedule';
import { defineHandler, type TaskRules } from './handler-definition';

/** When, besides the pattern, and how each tick's task is attempted. */
export interface ScheduleDecoratorOptions extends TaskRules, Pick<ScheduleOptions, 'timeZone' | 'missed'> {
  /** The queue of its tasks. Default: the only queue of the application. */
  queue?: string;
}

/**
 * Runs a method of a provider or a controller at the times of a cron pattern, once per tick however many replicas run: each tick is a task
 * of type `name`, with an empty payload, and retries, dead letters and guards as any other.
 * @param name stable: by it the ticks that were enqueued are known. 1 to 100 printable ASCII characters without spaces.
 * @param cron `minute hour day month weekday`, with seconds in front if there are six fields, or `@daily` and the like.
 */
export function Schedule(
  name: string,
  cron: string,
  { queue, timeZone, missed, ...rules }: ScheduleDecoratorOptions = {},
): MethodDecorator {
  const when = { ...(timeZone === undefined ? {} : { timeZone }), ...(missed === undefined ? {} : { missed }) };
  return (target, method, descriptor) =>
    defineHandler(
      {
        kind: 'task',
        decorator: `@Schedule(${JSON.stringify(name)})`,
        type: name,
        queue,
        contract: undefined,
        rules,
        schedule: { name, cron, ...when },
      },
      target,
      method,
      descriptor,
    );
}
