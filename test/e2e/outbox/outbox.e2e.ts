import { Client, Pool } from 'pg';
import { InvalidMessageError, MemoryKeyStore, type PutOptions, type WorkerClient } from '@mercury/messaging';
import { PostgresServer } from '../../../tools/postgres';
import { gate, until } from '../../support/until';
import { Workbench } from '../../support/workbench';
import { OUTBOX_TABLE, putLater, relay, relayOnce } from './outbox';

const POOL = 'outbox';

const bench = new Workbench([100]);
let postgres: PostgresServer;
let pool: Pool;
let tasks: WorkerClient;

beforeAll(async () => {
  postgres = await PostgresServer.open((line) => process.stderr.write(`${line}\n`));
  pool = new Pool({ connectionString: postgres.url, application_name: POOL });
  // Idle connections that the server ends, as the tests make it do.
  pool.on('error', () => undefined);
  await pool.query(OUTBOX_TABLE);
}, 120_000);

beforeEach(() => {
  tasks = bench.client();
});
afterEach(() => pool?.query('TRUNCATE outbox'));

afterAll(async () => {
  await pool?.end();
  await postgres?.close();
});

/** Stores so many orders, each with a task, in one transaction of a caller that ends so. */
async function order(end: 'COMMIT' | 'ROLLBACK', ...numbers: number[]): Promise<string[]> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const ids: string[] = [];
    for (const number of numbers) ids.push(await putLater(client, 'invoice', { number }));
    await client.query(end);
    return ids;
  } finally {
    client.release();
  }
}

const waiting = async () => Number((await pool.query<{ count: string }>('SELECT count(*) FROM outbox')).rows[0]?.count);
const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);

describe('an outbox', () => {
  it('puts the tasks of a transaction that is committed, under the ids of their rows, and none of one that is rolled back', async () => {
    const worker = bench.worker(() => undefined);
    await worker.start();
    const stop = new AbortController();
    const problems: unknown[] = [];
    const relaying = relay(pool, tasks, stop.signal, (problem) => problems.push(problem));
    await order('ROLLBACK', 1, 2);
    const ids = await order('COMMIT', 3, 4, 5);
    await worker.seen.atLeast(3);
    await until('the outbox is empty', async () => (await waiting()) === 0);
    stop.abort();
    await relaying;
    expect(worker.seen.values.map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(worker.seen.values.map(({ body }) => body['number']).sort()).toEqual([3, 4, 5]);
    expect(problems).toEqual([]);
  });

  it('puts again, under the same id, what was put before a crash and not deleted: a worker with a key store runs it once', async () => {
    const worker = bench.worker(() => undefined, { keyStore: new MemoryKeyStore(), capacity: 1 });
    const skipped: string[] = [];
    worker.events.on('skipped', ({ id }) => skipped.push(id));
    await worker.start();
    const ids = await order('COMMIT', 1, 2);
    // Its connection ends between the confirm and the delete, as when its process does.
    const dying = {
      put: async (body: object, options?: PutOptions) => {
        const id = await tasks.put(body, options);
        await endConnections();
        return id;
      },
    };
    await expect(relayOnce(pool, dying)).rejects.toThrow();
    expect(await waiting()).toBe(2);
    await worker.seen.atLeast(2);
    expect(await relayOnce(pool, tasks)).toBe(2);
    await until('they came again', () => skipped.length === 2);
    expect(await waiting()).toBe(0);
    expect(skipped.sort()).toEqual([...ids].sort());
    expect(worker.seen.values.map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  it('gives no row to two relays at once', async () => {
    await order('COMMIT', ...numbers(250));
    const { opened, open } = gate();
    const underWay: string[] = [];
    const held = {
      put: async (_body: object, options?: PutOptions) => {
        underWay.push(options?.id ?? '');
        await opened;
        return options?.id ?? '';
      },
    };
    const relays = [relayOnce(pool, held), relayOnce(pool, held), relayOnce(pool, held)];
    await until('all are under way', () => underWay.length === 250);
    expect(await relayOnce(pool, held)).toBe(0);
    open();
    expect((await Promise.all(relays)).sort()).toEqual([100, 100, 50]);
    expect(new Set(underWay).size).toBe(250);
    expect(await waiting()).toBe(0);
  });

  it('keeps what could not be put, puts the others, and says why', async () => {
    await order('COMMIT', 1, 2);
    const refusing = {
      put: async (body: object, options?: PutOptions) => {
        if ('number' in body && body.number === 1) throw new Error('the queue is full');
        return options?.id ?? '';
      },
    };
    await expect(relayOnce(pool, refusing)).rejects.toThrow('the queue is full');
    expect(await waiting()).toBe(1);
    expect(await relayOnce(pool, { put: async () => '' })).toBe(1);
  });

  it('sets aside what can never be put, with the reason, so that it holds up no other', async () => {
    await order('COMMIT', 1);
    const client = { put: async () => Promise.reject(new InvalidMessageError('TASK_TOO_LARGE', 'too large')) };
    await expect(relayOnce(pool, client)).rejects.toMatchObject({ code: 'TASK_TOO_LARGE' });
    expect(await relayOnce(pool, client)).toBe(0);
    const { rows } = await pool.query('SELECT refused FROM outbox');
    expect(rows).toEqual([{ refused: 'too large' }]);
  });
});

/** Ends all connections of the pool. */
async function endConnections(): Promise<void> {
  const admin = new Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [POOL]);
  await admin.end();
}
