import { FakeLink } from '../../../../test/support/fake-link';
import type { FastifyReply } from 'fastify';
import { Connection, MemoryKeyStore, PublishError, WorkerClient, type PutOptions } from '@mercury/messaging';
import type { IdentifiedRequest } from '../access/api-key.hook';
import { Idempotency } from '../idempotency/idempotency';
import { ProblemException } from '../problems/problem';
import { JsonList, Ndjson } from '../bodies/parse-bodies';
import { readJson } from '../bodies/read-json';
import { TasksController } from './tasks.controller';

/** A connection that never comes: nothing here needs one. */
const never = new Connection(new FakeLink());

/** Stores tasks in memory, or fails as the broker does. */
class MemoryClient extends WorkerClient {
  readonly stored: { body: object; options: PutOptions }[] = [];
  readonly failures = new Map<string, PublishError>();

  constructor() {
    super({ queueName: 'tasks', connections: { publishing: never, consuming: never } });
  }

  override async put(body: object, options: PutOptions = {}): Promise<string> {
    const failure = this.failures.get(options.id ?? '');
    if (failure) throw failure;
    this.stored.push({ body, options });
    return options.id ?? 'made by the client';
  }
}

/** What a reply is told. */
function recordedReply() {
  const told = { status: 0, headers: {} as Record<string, string> };
  const reply = {
    header: (name: string, value: string) => ((told.headers[name] = value), reply),
    status: (status: number) => ((told.status = status), reply),
  };
  return { told, reply: reply as unknown as FastifyReply };
}

const requestWith = (headers: Record<string, string>) => ({ headers }) as unknown as IdentifiedRequest;
const request = requestWith({});

const jsonOf = async (items: unknown[]) => new JsonList(await readJson(Buffer.from(JSON.stringify(items))));

const SLEEP = { type: 'sleep', payload: { ms: 1 } };
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

async function problemOf(answering: Promise<unknown>) {
  const error = await answering.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ProblemException) return error.problem;
  throw new Error('No problem.', { cause: error });
}

describe('TasksController', () => {
  let client: MemoryClient;
  let controller: TasksController;

  beforeEach(() => {
    client = new MemoryClient();
    controller = new TasksController(client, new Idempotency(new MemoryKeyStore(), 60_000));
  });

  it('stores the payload alone, under a new id that its answer names', async () => {
    const { told, reply } = recordedReply();
    const { id, ...accepted } = await controller.put(SLEEP, request, reply);
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-/);
    expect(accepted).toEqual({ type: 'sleep', queue: 'tasks', state: 'queued' });
    expect(client.stored).toEqual([{ body: { ms: 1 }, options: { id, type: 'sleep' } }]);
    expect(told.headers).toEqual({ location: `/v1/tasks/${id}` });
  });

  it('stores a task under the caller’s id, escaped in the address', async () => {
    const { told, reply } = recordedReply();
    await expect(controller.put({ ...SLEEP, id: 'a/b?c' }, request, reply)).resolves.toMatchObject({
      id: 'a/b?c',
    });
    expect(client.stored[0]?.options.id).toBe('a/b?c');
    expect(told.headers).toEqual({ location: '/v1/tasks/a%2Fb%3Fc' });
  });

  it('never answers with another id than the task is stored under, also when the id is null', async () => {
    const answer = await controller.put({ ...SLEEP, id: null }, request, recordedReply().reply).catch(() => undefined);
    // Refused is as good.
    expect(answer?.id).toBe(client.stored[0]?.options.id);
    expect(answer?.id).not.toBeNull();
  });

  it.each([
    ['carried', TRACEPARENT, { traceparent: TRACEPARENT }],
    ['left out when it has another form', 'nonsense', {}],
    ['left out when it is in capitals', TRACEPARENT.toUpperCase(), {}],
  ])('a trace context is %s', async (_what, traceparent, expected) => {
    await controller.put({ ...SLEEP, id: 'a' }, requestWith({ traceparent }), recordedReply().reply);
    expect(client.stored[0]?.options).toEqual({ id: 'a', type: 'sleep', ...expected });
  });

  it('passes a delay or a time on, also of the tasks of a batch', async () => {
    await controller.put({ ...SLEEP, delayMs: 60_000 }, request, recordedReply().reply);
    await controller.putBatch(
      await jsonOf([{ ...SLEEP, runAt: '1999-12-31T00:00:00Z' }]),
      request,
      recordedReply().reply,
    );
    expect(client.stored.map(({ options }) => [options.delayMs, options.runAt])).toEqual([
      [60_000, undefined],
      [undefined, Date.parse('1999-12-31T00:00:00Z')],
    ]);
  });

  it('gives the id with an unknown outcome, also one that it made, so that the task can be posted again', async () => {
    client.failures.set('a', new PublishError('unknown', 'No confirm.'));
    const problem = await problemOf(controller.put({ ...SLEEP, id: 'a' }, request, recordedReply().reply));
    expect(problem).toMatchObject({ status: 503, outcome: 'unknown', id: 'a' });
  });

  it('stores nothing of a wrong request', async () => {
    const problem = await problemOf(controller.put({ ...SLEEP, queue: 'other' }, request, recordedReply().reply));
    expect(problem.status).toBe(422);
    expect(client.stored).toEqual([]);
  });

  it('answers 202 to a batch that is stored, one result per task, in order', async () => {
    const { told, reply } = recordedReply();
    const ids = ['c', 'a', 'b'];
    const { results } = await controller.putBatch(await jsonOf(ids.map((id) => ({ ...SLEEP, id }))), request, reply);
    expect(results).toEqual(ids.map((id) => ({ status: 202, id, type: 'sleep', queue: 'tasks', state: 'queued' })));
    expect(told.status).toBe(202);
  });

  it('answers 207 to a batch of which some are refused: the others are stored', async () => {
    const { told, reply } = recordedReply();
    client.failures.set('full', new PublishError('nacked', 'The queue is full.'));
    const lines = [{ ...SLEEP, id: 'a' }, { type: 'nap' }, { ...SLEEP, id: 'full' }, { ...SLEEP, id: 'b' }];
    const { results } = await controller.putBatch(
      new Ndjson(Buffer.from(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n{`)),
      request,
      reply,
    );
    expect(results.map(({ status }) => status)).toEqual([202, 422, 503, 202, 400]);
    expect(client.stored.map(({ options }) => options.id)).toEqual(['a', 'b']);
    expect(told.status).toBe(207);
  });

  it('gives the items of a batch with a key ids of their own, and the same ones again', async () => {
    const keyed = requestWith({ 'idempotency-key': '"k"' });
    const idsOf = async (batch: unknown[]) => {
      const { results } = await controller.putBatch(await jsonOf(batch), keyed, recordedReply().reply);
      return results.map((result) => result.id);
    };
    const ids = await idsOf([SLEEP, SLEEP]);
    expect(new Set(ids).size).toBe(2);
    expect(await idsOf([SLEEP, SLEEP, { ...SLEEP, id: 'mine' }])).toEqual([...ids, 'mine']);
    expect(client.stored.map(({ options }) => options.id)).toEqual([...ids, 'mine']);
  });

  it('means by the same key of two clients two tasks', async () => {
    const keyed = requestWith({ 'idempotency-key': 'k' });
    for (const client of ['shop', 'blog', 'shop']) {
      await controller.put(SLEEP, Object.assign(keyed, { client }), recordedReply().reply);
    }
    expect(new Set(client.stored.map(({ options }) => options.id)).size).toBe(2);
    expect(client.stored).toHaveLength(2);
  });

  it('stores nothing of a request whose key is malformed', async () => {
    const keyed = requestWith({ 'idempotency-key': '' });
    const alone = await problemOf(controller.put(SLEEP, keyed, recordedReply().reply));
    const batch = await problemOf(controller.putBatch(await jsonOf([SLEEP]), keyed, recordedReply().reply));
    for (const problem of [alone, batch])
      expect(problem).toMatchObject({ status: 400, code: 'IDEMPOTENCY_KEY_INVALID' });
    expect(client.stored).toEqual([]);
  });

  it('keeps no status yet', () => {
    expect(() => controller.status('a')).toThrow(
      expect.objectContaining({
        problem: expect.objectContaining({ status: 404, code: 'STATUS_NOT_AVAILABLE' }) as unknown,
      }) as Error,
    );
  });
});
