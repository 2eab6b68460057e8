import { setTimeout as pause } from 'node:timers/promises';
import { InvalidMessageError, type WorkerClient } from '@mercury/messaging';
import type { ClientBase, Pool } from 'pg';

export const OUTBOX_TABLE = `
  CREATE TABLE IF NOT EXISTS outbox (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    type text NOT NULL,
    body json NOT NULL,
    refused text
  )`;

/** Puts a task with the transaction that this client is in: when that is committed, and not when it is rolled back. */
export async function putLater(client: ClientBase, type: string, body: object): Promise<string> {
  const insert = 'INSERT INTO outbox (type, body) VALUES ($1, $2) RETURNING id';
  const { rows } = await client.query<{ id: string }>(insert, [type, JSON.stringify(body)]);
  return rows[0]!.id;
}

const ignore = () => undefined;

/** Moves up to 100 tasks on: put with the row's id, and deleted after the confirm. What can never be put is marked. Resolves to how many there were. */
export async function relayOnce(pool: Pool, tasks: Pick<WorkerClient, 'put'>): Promise<number> {
  const client = await pool.connect();
  let isOver = false;
  // Lost while nothing is asked of it, it would end the process; the next query fails all the same.
  client.on('error', ignore);
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<{ id: string; type: string; body: object }>(
      'SELECT id, type, body FROM outbox WHERE refused IS NULL ORDER BY position LIMIT 100 FOR UPDATE SKIP LOCKED',
    );
    const puts = await Promise.allSettled(rows.map(({ id, type, body }) => tasks.put(body, { type, id })));
    const confirmed = rows.filter((_row, index) => puts[index]?.status === 'fulfilled').map(({ id }) => id);
    await client.query('DELETE FROM outbox WHERE id = ANY($1)', [confirmed]);
    for (const [index, put] of puts.entries()) {
      if (put.status === 'rejected' && put.reason instanceof InvalidMessageError)
        await client.query('UPDATE outbox SET refused = $2 WHERE id = $1', [rows[index]?.id, put.reason.message]);
    }
    await client.query('COMMIT');
    isOver = true;
    const failed = puts.find((put) => put.status === 'rejected');
    if (failed) throw failed.reason;
    return rows.length;
  } finally {
    if (isOver) client.off('error', ignore);
    // With its transaction still open, the connection is ended: that rolls it back.
    client.release(!isOver);
  }
}

/** Runs until the signal aborts. As many of them as you like may run. */
export async function relay(
  pool: Pool,
  tasks: Pick<WorkerClient, 'put'>,
  signal: AbortSignal,
  onProblem: (problem: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    const moved = await relayOnce(pool, tasks).catch(onProblem);
    if (!moved) await pause(500, undefined, { signal }).catch(() => undefined);
  }
}
