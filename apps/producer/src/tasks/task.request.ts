import { ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { IsIn, IsObject, Matches, ValidateIf } from 'class-validator';
import type { JsonObject } from '@mercury/messaging';
import { TASK_PAYLOADS, type TaskType } from '@mercury/tasks';
import type { ProblemDetail } from '../problems/problem';
import { checkBody, refuse } from '../problems/read-body';
import { SleepPayloadSchema, WebhookPayloadSchema } from './task.schemas';

const TYPES = Object.keys(TASK_PAYLOADS) as TaskType[];

/** May be left out. Unlike IsOptional it takes `null` for a value, and a wrong one. */
const IfGiven = () => ValidateIf((_task, value) => value !== undefined);

export class TaskRequest {
  @ApiProperty({ enum: TYPES, example: 'webhook.deliver' })
  @IsIn(TYPES, { message: `type must be one of: ${TYPES.join(', ')}` })
  type!: TaskType;

  @ApiProperty({
    oneOf: [{ $ref: getSchemaPath(WebhookPayloadSchema) }, { $ref: getSchemaPath(SleepPayloadSchema) }],
    description: 'What the type needs.',
  })
  @IsObject()
  payload!: JsonObject;

  @ApiPropertyOptional({ description: 'Only the queue that this producer is configured with.', example: 'tasks' })
  @IfGiven()
  @Matches(/^.{1,200}$/s, { message: 'queue must be a string of 1 to 200 characters' })
  queue?: string;

  @ApiPropertyOptional({
    description: 'Your own id: 1 to 255 printable ASCII characters without spaces. Default: a new UUIDv7.',
    example: 'order-4711-paid',
  })
  @IfGiven()
  @Matches(/^[\x21-\x7e]{1,255}$/, { message: 'id must be 1 to 255 printable ASCII characters without spaces' })
  id?: string;
}

/** @throws ProblemException 422, with every wrong field by its pointer. */
export function readTask(body: unknown, queueName: string): TaskRequest {
  const errors = checkBody(TaskRequest, body);
  const given = (typeof body === 'object' && body !== null ? body : {}) as Partial<TaskRequest>;
  if (given.queue && given.queue !== queueName) {
    errors.push({ pointer: '/queue', detail: `this producer puts tasks on "${queueName}" only` });
  }
  refuse([...errors, ...payloadErrors(given)]);
  return given as TaskRequest;
}

function payloadErrors({ type, payload }: Partial<TaskRequest>): ProblemDetail[] {
  const isKnown = type !== undefined && TYPES.includes(type);
  const isObject = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
  return isKnown && isObject ? checkBody(TASK_PAYLOADS[type], payload, '/payload') : [];
}
