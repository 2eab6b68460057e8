import type { Message } from 'amqplib';
import { longestTaskMs } from '../broker/ack-timeout';
import type { ClientEvents } from '../broker/events';
import { Publisher } from '../broker/publisher';
import { deadQueueOf, declareTaskTopology, retryQueueOf, waitingQueueOf } from '../broker/topology';
import { ConfigError } from '../errors';
import { Events } from '../events';
import { HEADER } from '../headers';
import { encodeTask, isJsonObject } from '../tasks/codec';
import { execute } from '../tasks/execution';
import { resolveWorker, type WorkerOptions, type WorkerRules } from '../tasks/options';
import type { Outcome } from '../tasks/outcome';
import type { PutOptions } from '../tasks/put-options';
import { Settlement } from '../tasks/settlement';
import { Slot } from '../tasks/slots';
import type { JsonObject, Task } from '../tasks/task';
import type { LogLine } from '../tasks/task-log';
import { Worker } from '../tasks/worker';
import { MemoryBroker, type QueuedMessage } from './memory-broker';

/** What executes tasks: a function, or a Worker, of which only the handler is asked. */
export type Handler<Body> = ((task: Task<Body>) => unknown) | { handler(task: Task<Body>): unknown };

type RuleName = 'maxAttempts' | 'postpone' | 'retryDelaysMs' | 'handlerTimeoutMs' | 'maxPayloadBytes';

/** Of a worker's rules, the default is what the given Worker has; for a function, what a Worker has by default. */
export interface RunTaskOptions extends Pick<WorkerOptions, RuleName> {
  /** Default: a new UUIDv7. */
  id?: string;
  /** Default: the body's `type`, or `task` if it has none. */
  type?: string;
  /** Which attempt this is. Default 1. */
  attempt?: number;
  traceparent?: string;
  headers?: PutOptions['headers'];
  tags?: PutOptions['tags'];
  /** Default: that of the given Worker; `tasks` for a function. */
  queueName?: string;
}

/** How one attempt ended. */
export interface RunResult {
  outcome: Outcome;
  id: string;
  durationMs: number;
  /** What the handler has said by `task.log`, the last 50 lines. */
  log: readonly LogLine[];
  /** Of `retry`, `postponed` and `dead`: where the task is now, and with which headers. */
  movedTo: (QueuedMessage & { queue: string }) | undefined;
}

/**
 * Runs one attempt of one task as a worker does, without a broker: the body goes through the codec, the handler through
 * the execution with its timeout, the outcome through the settlement. Never rejects because of what the handler throws.
 *
 * @example
 * const { outcome, movedTo } = await runTask(new ReportWorker(options), { type: 'report', month: 13 }, { attempt: 2 });
 * expect(outcome).toMatchObject({ kind: 'dead', failure: { code: 'NO_SUCH_MONTH' } });
 *
 * @param body as it would be put; it may bring its `type` where the handler's own type of a body has none.
 * @throws InvalidMessageError `TASK_INVALID`, `BODY_INVALID`, `TASK_TOO_LARGE` for a body, id or type that no client would put.
 * @throws ConfigError `CONFIG_INVALID`.
 */
export async function runTask<Body extends object = JsonObject>(
  handler: Handler<Body>,
  body: Body & { type?: string },
  options: RunTaskOptions = {},
): Promise<RunResult> {
  const { id, type = typeFor(body), attempt = 1, traceparent, headers: given, tags, ...own } = options;
  if (!(Number.isSafeInteger(attempt) && attempt >= 1))
    throw new ConfigError('runTask options', [`attempt must be a whole number, 1 or more, not ${attempt}`]);
  const broker = new MemoryBroker();
  const connections = broker.connect();
  const rules = { queueName: 'tasks', ...(handler instanceof Worker && optionsOf(handler.rules)), ...own };
  const worker = resolveWorker({ ...rules, connections });
  const { queueName, policy, maxPayloadBytes, handlerTimeoutMs, publishTimeoutMs, retryDelaysMs } = worker;
  const encoded = encodeTask(
    body,
    { id, type, traceparent, headers: given, tags },
    maxPayloadBytes,
    broker.clock.nowMs(),
  );
  const nothing = () => undefined;
  const use = { mode: 'declare', onMismatch: nothing } as const;
  await declareTaskTopology(connections.consuming, queueName, retryDelaysMs, use, true);
  const headers = { ...(encoded.properties.headers as object), [HEADER.attempt]: attempt };
  broker.send(queueName, encoded.content, { ...encoded.properties, headers });
  const channel = await connections.consuming.openChannel();
  const message = (await channel.get(queueName)) as Message;
  const publisher = new Publisher(
    connections.publishing,
    async () => undefined,
    publishTimeoutMs,
    new Events<ClientEvents>(),
  );
  const settlement = new Settlement(publisher, queueName, broker.clock, nothing);
  const run = (task: Task) =>
    typeof handler === 'function' ? handler(task as Task<Body>) : handler.handler(task as Task<Body>);
  const { clock } = broker;
  const longestTimeoutMs = () => longestTaskMs(handlerTimeoutMs);
  const context = {
    queueName,
    policy,
    handlerTimeoutMs,
    longestTimeoutMs,
    clock,
    runnerOf: () => ({ run }),
    onStart: nothing,
  };
  const execution = await execute(message, context, new Slot());
  const { identity, outcome, durationMs, log = [] } = execution;
  await settlement.settle({ message, channel, lost: new AbortController().signal }, identity, outcome, execution);
  const result = { outcome, id: identity.id, durationMs, log, movedTo: movedTo(broker, queueName, outcome) };
  await publisher.close(0);
  await connections.close();
  return result;
}

function optionsOf(rules: WorkerRules): Required<Pick<WorkerOptions, RuleName | 'queueName'>> {
  const { queueName, policy, retryDelaysMs, handlerTimeoutMs, maxPayloadBytes } = rules;
  const { maxAttempts, postpone } = policy;
  return { queueName, maxAttempts, postpone, retryDelaysMs, handlerTimeoutMs, maxPayloadBytes };
}

/** Undefined when the body says it itself. */
function typeFor(body: unknown): string | undefined {
  return isJsonObject(body) && body['type'] !== undefined ? undefined : 'task';
}

function movedTo(broker: MemoryBroker, queueName: string, outcome: Outcome): RunResult['movedTo'] {
  const queue = queueOf(queueName, outcome);
  const [message] = queue === undefined ? [] : broker.messages(queue);
  return message && queue !== undefined ? { ...message, queue } : undefined;
}

function queueOf(queueName: string, outcome: Outcome): string | undefined {
  switch (outcome.kind) {
    case 'retry':
      return retryQueueOf(queueName, outcome.levelMs);
    case 'postponed':
      return waitingQueueOf(queueName, outcome.delayMs);
    case 'dead':
      return deadQueueOf(queueName);
    case 'success':
    case 'released':
      return undefined;
  }
}
