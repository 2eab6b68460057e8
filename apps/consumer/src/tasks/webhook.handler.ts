import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { TaskContext, TaskHandler } from '@mercury/messaging/nest';
import { WebhookPayload } from '@mercury/tasks';
import { WebhookSender } from './webhook-sender';

@Controller()
export class WebhookHandler {
  constructor(private readonly sender: WebhookSender) {}

  /** The task's id is the webhook's: a receiver that sees one twice knows that it is the same. */
  @TaskHandler('webhook.deliver')
  async deliver(@Payload() payload: WebhookPayload, @Ctx() { task }: TaskContext): Promise<void> {
    await this.sender.send({ id: task.id, enqueuedAtMs: task.enqueuedAtMs, payload, signal: task.signal });
  }
}
