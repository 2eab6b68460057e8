import { WorkerClient, deadQueueOf } from '@mercury/messaging';
import { rabbitUrl } from '../support/rabbit';
import { until } from '../support/until';
import { Workbench } from '../support/workbench';

const LEVELS_MS = [50];

const bench = new Workbench(LEVELS_MS);

/** The broker of this run, by connections whose frames have so many bytes. */
function urlWith(frameMax: number): string {
  const url = new URL(rabbitUrl());
  url.searchParams.set('frameMax', String(frameMax));
  return url.href;
}

it('a history that outgrows small frames shrinks, and its task ends as a dead letter with the first and the last attempt', async () => {
  const worker = bench.worker(
    () => {
      throw new Error('x'.repeat(2_000));
    },
    { rabbitUrl: urlWith(8_192), maxAttempts: 14 },
  );
  await worker.start();
  await bench.client().put({ type: 'report' }, { headers: { large: 'x'.repeat(3_000) } });
  const dead = deadQueueOf(bench.queueName);
  await until('the letter', async () => (await bench.rabbit.depth(dead)) === 1);
  expect(worker.problem).toBeUndefined();
  const headers = (await bench.rabbit.take(dead))?.properties.headers as Record<string, string>;
  const { attempts, omitted } = JSON.parse(headers['x-history'] ?? '') as {
    attempts: { attempt: number }[];
    omitted: number;
  };
  expect([attempts[0]?.attempt, attempts.at(-1)?.attempt, attempts.length + omitted]).toEqual([1, 14, 14]);
  expect(headers['large']).toHaveLength(3_000);
});

it('headers of a caller that are too large for small frames are refused, and nothing else suffers', async () => {
  await using client = new WorkerClient({
    rabbitUrl: urlWith(8_192),
    queueName: bench.queueName,
    retryDelaysMs: LEVELS_MS,
  });
  const large = client.put({ type: 'report' }, { headers: { large: 'x'.repeat(5_000) } });
  const small = client.put({ type: 'report' }, { headers: { large: 'x'.repeat(4_000) } });
  await expect(large).rejects.toMatchObject({
    code: 'PUBLISH_NOT_SENT',
    message: expect.stringContaining('at most 4096 fit') as string,
  });
  await expect(small).resolves.toEqual(expect.any(String));
});
