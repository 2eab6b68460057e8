import { setTimeout as pause } from 'node:timers/promises';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { TaskContext, TaskHandler } from '@mercury/messaging/nest';
import { SleepPayload } from '@mercury/tasks';

@Controller()
export class SleepHandler {
  /** Holds a slot of the worker. Ends early, as failed, when nobody waits for it any more. */
  @TaskHandler('sleep')
  async sleep(@Payload() { ms }: SleepPayload, @Ctx() { task }: TaskContext): Promise<void> {
    await pause(ms, undefined, { signal: task.signal });
  }
}
