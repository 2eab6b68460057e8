import { Body, Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiBody,
  ApiExtraModels,
  ApiHeader,
  ApiNotFoundResponse,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { WorkerClient } from '@mercury/messaging';
import type { IdentifiedRequest } from '../access/api-key.hook';
import { Idempotency } from '../idempotency/idempotency';
import { readIdempotencyKey, type KeyScope } from '../idempotency/idempotency-key';
import { turn } from '../bodies/loop-turns';
import { isLong, type RouteBody } from '../bodies/parse-bodies';
import { ApiProblems } from '../openapi';
import { Problem, ProblemException, problemOf } from '../problems/problem';
import { problemFor } from '../problems/problem.filter';
import { readBatch, shortened, workOff } from './batch';
import { instantMs } from './instant';
import { TaskRequest, readTask } from './task.request';
import { BatchItemAccepted, BatchResult, SleepPayloadSchema, TaskAccepted, WebhookPayloadSchema } from './task.schemas';

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;

@ApiTags('tasks')
@ApiBearerAuth()
@ApiExtraModels(WebhookPayloadSchema, SleepPayloadSchema, BatchItemAccepted, Problem)
@Controller('v1/tasks')
export class TasksController {
  constructor(
    private readonly client: WorkerClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({ summary: 'Put a task on the queue', description: 'Answers once the broker has stored it on disk.' })
  @ApiHeader({ name: 'traceparent', required: false, description: 'W3C trace context, carried to the handler.' })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'The same key with the same task puts one task, and has the same answer. 1 to 255 characters, in double quotes or bare.',
    example: '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
  })
  @ApiBody({ type: TaskRequest })
  @ApiAcceptedResponse({ type: TaskAccepted, headers: { Location: { schema: { type: 'string' } } } })
  @ApiProblems(400, 401, 403, 409, 413, 415, 422, 429, 503)
  async put(
    @Body() body: unknown,
    @Req() request: IdentifiedRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TaskAccepted> {
    const scope = this.scopeOf(request);
    const task = readTask(body, this.client.queueName);
    const accepted = await this.store(task, scope, traceparentOf(request), isLong(request));
    reply.header('location', `/v1/tasks/${encodeURIComponent(accepted.id)}`);
    return accepted;
  }

  @Post('batch')
  @RouteConfig({ body: 'batch' } satisfies RouteBody)
  @ApiOperation({
    summary: 'Put up to 1,000 tasks on the queue',
    description:
      'A JSON array of at most 1 MiB and 64 KiB, or NDJSON as application/x-ndjson of at most 16 MiB. One result per task, ' +
      'in order; each is accepted or refused by itself. 202 when all are accepted, else 207.',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'Means each place of the batch by itself: the same batch again puts what was not stored, and repeats the other answers.',
    example: '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
  })
  @ApiBody({ type: [TaskRequest] })
  @ApiAcceptedResponse({ type: BatchResult })
  @ApiResponse({ status: 207, type: BatchResult, description: 'Some were refused.' })
  @ApiProblems(400, 401, 403, 413, 415, 422, 429)
  async putBatch(
    @Body() body: unknown,
    @Req() request: IdentifiedRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BatchResult> {
    const scope = this.scopeOf(request);
    const traceparent = traceparentOf(request);
    const results = await workOff(await readBatch(body), (read, index) =>
      this.readItem(read, scope && { ...scope, index }, traceparent),
    );
    reply.status(results.every(({ status }) => status === 202) ? 202 : 207);
    return { results: shortened(results) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Status of a task', description: 'Not kept yet: answers 404 STATUS_NOT_AVAILABLE.' })
  @ApiParam({ name: 'id' })
  @ApiNotFoundResponse({ content: { 'application/problem+json': {} } })
  @ApiProblems(401, 403, 429)
  status(@Param('id') id: string): never {
    const detail = `The status of tasks is not kept yet, so nothing is known of "${id.slice(0, 255)}".`;
    throw new ProblemException(problemOf(404, 'STATUS_NOT_AVAILABLE', detail));
  }

  private scopeOf({ headers, client }: IdentifiedRequest): KeyScope | undefined {
    const header = headers['idempotency-key'];
    if (header === undefined) return undefined;
    return { key: readIdempotencyKey(String(header)), client, queueName: this.client.queueName };
  }

  /** Resolves to what puts it, once it is read. */
  private async readItem(
    read: () => unknown,
    scope: KeyScope | undefined,
    traceparent: string | undefined,
  ): Promise<() => Promise<BatchItemAccepted | Problem>> {
    try {
      const task = readTask(await read(), this.client.queueName);
      return () =>
        this.store(task, scope, traceparent, true).then((accepted) => ({ status: 202, ...accepted }), problemFor);
    } catch (error) {
      const problem = problemFor(error);
      return async () => problem;
    }
  }

  private async store(
    task: TaskRequest,
    scope: KeyScope | undefined,
    traceparent: string | undefined,
    isLong: boolean,
  ): Promise<TaskAccepted> {
    const { type, payload, delayMs, runAt: at } = task;
    const runAt = at === undefined ? undefined : instantMs(at);
    const put = async (id: string) => {
      if (isLong) await turn();
      try {
        await this.client.put(payload, { id, type, delayMs, runAt, traceparent });
      } catch (error) {
        throw new ProblemException(problemFor(error, id));
      }
    };
    const id = scope ? await this.idempotency.once(scope, task, put) : (task.id ?? uuidv7());
    if (!scope) await put(id);
    return { id, type, queue: this.client.queueName, state: 'queued' };
  }
}

/** Undefined for one that is malformed, too: a task is not refused for it. */
function traceparentOf({ headers }: IdentifiedRequest): string | undefined {
  const { traceparent } = headers;
  return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined;
}
