import autocannon from 'autocannon';
import { HTTP_TASK } from '../http-task';
import { play } from './child';

export interface LoadParams {
  url: string;
  /** Tasks in each request: one by itself, more as an array. */
  itemCount: number;
  connections: number;
  seconds: number;
}

export interface Loaded {
  requestCount: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
}

/** Posts the same body again and again, each connection as soon as it has its answer. */
play<LoadParams, Loaded>(async ({ url, itemCount, connections, seconds }, bench) => {
  bench.ready();
  await bench.until('go');
  const body = JSON.stringify(itemCount === 1 ? HTTP_TASK : Array.from({ length: itemCount }, () => HTTP_TASK));
  const headers = { 'content-type': 'application/json' };
  const result = await autocannon({ url, method: 'POST', headers, body, connections, duration: seconds });
  const answers = Object.entries(result.statusCodeStats ?? {}).map(([status, { count }]) => `${status}: ${count}`);
  if (answers.length !== 1 || !answers[0]?.startsWith('202')) {
    throw new Error(`Not every answer was 202: ${answers.join(', ')}; ${result.errors} errors.`);
  }
  const { duration, latency, requests } = result;
  return { requestCount: requests.total, seconds: duration, p50Ms: latency.p50, p99Ms: latency.p99 };
});
