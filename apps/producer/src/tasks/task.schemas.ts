import { ApiProperty } from '@nestjs/swagger';
import { Problem } from '../problems/problem';

/** What the API says about itself; what it checks stands in @mercury/tasks and task.request. */
export class WebhookPayloadSchema {
  @ApiProperty({ format: 'uri', example: 'https://example.com/hooks/orders', maxLength: 2048 })
  url!: string;

  @ApiProperty({ example: 'order.paid', maxLength: 255 })
  event!: string;

  @ApiProperty({ type: 'object', additionalProperties: true, example: { orderId: 4711 } })
  data!: object;
}

export class SleepPayloadSchema {
  @ApiProperty({ type: 'integer', minimum: 0, maximum: 600_000, example: 250 })
  ms!: number;
}

export class TaskAccepted {
  @ApiProperty({ example: '01934b5c-7d2e-7a41-9c57-3f1c2f6f9a10' })
  id!: string;

  @ApiProperty({ example: 'webhook.deliver' })
  type!: string;

  @ApiProperty({ example: 'tasks' })
  queue!: string;

  @ApiProperty({ enum: ['queued'], description: 'Stored on disk on a majority of the queue’s members.' })
  state!: 'queued';
}

export class BatchItemAccepted extends TaskAccepted {
  @ApiProperty({ example: 202 })
  status!: 202;
}

export class BatchResult {
  @ApiProperty({
    type: 'array',
    items: { oneOf: [{ $ref: '#/components/schemas/BatchItemAccepted' }, { $ref: '#/components/schemas/Problem' }] },
  })
  results!: (BatchItemAccepted | Problem)[];
}
