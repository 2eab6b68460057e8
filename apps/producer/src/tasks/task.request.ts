import { ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { IsIn, IsInt, IsObject, IsString, Matches, Max, Min, ValidateIf } from 'class-validator';
import { LONGEST_DELAY_MS, type JsonObject } from '@mercury/messaging';
import { TASK_PAYLOADS, type TaskType } from '@mercury/tasks';
import type { ProblemDetail } from '../problems/problem';
import { checkBody, refuse } from '../problems/read-body';
import { instantMs } from './instant';
import { SleepPayloadSchema, WebhookPayloadSchema } from './task.schemas';

const TYPES = Object.keys(TASK_PAYLOADS) as TaskType[];

const NOT_RFC_3339 = 'runAt must be a date and time of RFC 3339, such as 2026-12-01T08:00:00Z';

/** May be left out. Unlike IsOptional it takes `null` for a value, and a wrong one. */
export const IfGiven = () => ValidateIf((_task, value) => value !== undefined);

/** What every task has. */
class TypeAndPayload {
  @ApiProperty({ enum: TYPES, example: 'webhook.deliver' })
  @IsIn(TYPES, { message: `type must be one of: ${TYPES.join(', ')}` })
  type!: TaskType;

  @ApiProperty({
    oneOf: [{ $ref: getSchemaPath(WebhookPayloadSchema) }, { $ref: getSchemaPath(SleepPayloadSchema) }],
    description: 'What the type needs.',
  })
  @IsObject()
  payload!: JsonObject;
}

export class TaskRequest extends TypeAndPayload {
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

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    maximum: LONGEST_DELAY_MS,
    description: 'Run no earlier than after so many milliseconds, at most 30 days. Default: at once.',
    example: 60_000,
  })
  @IfGiven()
  @Max(LONGEST_DELAY_MS, { message: `delayMs must be at most ${LONGEST_DELAY_MS} (30 days)` })
  @Min(0, { message: 'delayMs must not be negative' })
  @IsInt({ message: 'delayMs must be a whole number of milliseconds' })
  delayMs?: number;

  @ApiPropertyOptional({
    format: 'date-time',
    description: 'Run no earlier than then (RFC 3339), at most 30 days ahead; the past is now. Not with `delayMs`.',
    example: '2026-12-01T08:00:00Z',
  })
  @IfGiven()
  @IsString({ message: NOT_RFC_3339 })
  runAt?: string;
}

/** @throws ProblemException 422, with every wrong field by its pointer. */
export function readTask(body: unknown, queueName: string): TaskRequest {
  const errors = checkTask(body);
  const given = (typeof body === 'object' && body !== null ? body : {}) as Partial<TaskRequest>;
  if (given.queue && given.queue !== queueName) {
    errors.push({ pointer: '/queue', detail: `this producer puts tasks on "${queueName}" only` });
  }
  refuse(errors);
  return given as TaskRequest;
}

/** Every wrong field of a task, its payload included. */
export function checkTask(body: unknown): ProblemDetail[] {
  const given = (typeof body === 'object' && body !== null ? body : {}) as Partial<TaskRequest>;
  return [...checkBody(rulesFor(given), body), ...runAtErrors(given), ...payloadErrors(given)];
}

/** class-validator looks at each field of a class, also at those that a task has not: most have none but these two. */
function rulesFor(given: object): typeof TypeAndPayload {
  const isPlain = Object.keys(given).every((field) => field === 'type' || field === 'payload');
  return isPlain ? TypeAndPayload : TaskRequest;
}

function runAtErrors({ delayMs, runAt }: Partial<TaskRequest>): ProblemDetail[] {
  if (typeof runAt !== 'string') return [];
  const refusal = (detail: string) => [{ pointer: '/runAt', detail }];
  if (delayMs !== undefined) return refusal('a task has delayMs or runAt, not both');
  const atMs = instantMs(runAt);
  if (atMs === undefined) return refusal(NOT_RFC_3339);
  return atMs - Date.now() > LONGEST_DELAY_MS ? refusal('runAt must be at most 30 days ahead') : [];
}

function payloadErrors({ type, payload }: Partial<TaskRequest>): ProblemDetail[] {
  const isKnown = type !== undefined && TYPES.includes(type);
  const isObject = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
  return isKnown && isObject ? checkBody(TASK_PAYLOADS[type], payload, '/payload') : [];
}
