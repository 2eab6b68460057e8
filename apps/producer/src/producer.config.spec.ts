import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@mercury/messaging';
import { readProducerEnvironment } from './producer.config';

const RABBITMQ_URL = 'amqp://localhost';

const read = (variables: NodeJS.ProcessEnv = {}) => readProducerEnvironment({ RABBITMQ_URL, ...variables });

function problemsOf(variables: NodeJS.ProcessEnv): string[] {
  try {
    read(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the producer’s environment', () => {
  it('needs the broker’s address only', () => {
    expect(read()).toMatchObject({
      RABBITMQ_URL,
      HOST: '127.0.0.1',
      PORT: 3000,
      QUEUE_NAME: 'tasks',
      LOGGER_NAME: 'logs',
      RETRY_DELAYS_MS: [1_000, 10_000, 60_000, 600_000, 3_600_000],
      ALLOW_UNAUTHENTICATED: 'false',
      ALLOWED_HOSTS: [],
      SHUTDOWN_DELAY_MS: 0,
    });
    expect(read().API_KEYS_FILE).toBeUndefined();
    expect(read().RATE_LIMIT_PER_MINUTE).toBeUndefined();
  });

  it.each([
    ['PORT', '8080', 8080],
    ['API_KEYS_FILE', '', undefined],
    ['ALLOW_UNAUTHENTICATED', 'true', 'true'],
    ['RATE_LIMIT_PER_MINUTE', '600', 600],
    ['ALLOWED_HOSTS', 'Tasks.example, 10.0.0.1', ['tasks.example', '10.0.0.1']],
    ['SHUTDOWN_DELAY_MS', '15000', 15_000],
    ['RETRY_DELAYS_MS', '5,50', [5, 50]],
  ])('reads %s=%s', (name, value, expected) => {
    expect(read({ [name]: value })[name as 'PORT']).toEqual(expected);
  });

  it.each([
    ['ALLOW_UNAUTHENTICATED', 'yes'],
    ['ALLOW_UNAUTHENTICATED', 'TRUE'],
    ['RATE_LIMIT_PER_MINUTE', '0'],
    ['RATE_LIMIT_PER_MINUTE', 'none'],
    ['PORT', '65536'],
    ['ALLOWED_HOSTS', 'tasks.example:3000'],
    ['ALLOWED_HOSTS', 'tasks.example,'],
    ['ALLOWED_HOSTS', 'https://tasks.example'],
    ['SHUTDOWN_DELAY_MS', '-1'],
    ['SHUTDOWN_DELAY_MS', '600001'],
  ])('refuses %s=%s, by name', (name, value) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).not.toEqual([]);
    expect(problems.filter((problem) => !problem.startsWith(name))).toEqual([]);
  });

  it('names every wrong variable at once, and repeats no value', () => {
    const wrong = {
      RABBITMQ_URL: 'http://u:hunter2@h',
      PORT: 'x',
      RATE_LIMIT_PER_MINUTE: '-1',
      ALLOW_UNAUTHENTICATED: '1',
    };
    const problems = problemsOf(wrong);
    const named = new Set(problems.map((problem) => problem.split(' ')[0]));
    expect([...named].sort()).toEqual(['ALLOW_UNAUTHENTICATED', 'PORT', 'RABBITMQ_URL', 'RATE_LIMIT_PER_MINUTE']);
    expect(problems.join()).not.toContain('hunter2');
  });
});

describe('without API keys', () => {
  it.each([['127.0.0.1'], ['::1'], ['localhost']])('serves this machine, at %s', (HOST) => {
    expect(read({ HOST }).HOST).toBe(HOST);
  });

  it.each([['0.0.0.0'], ['::'], ['192.168.0.5'], ['producer.internal']])('refuses to serve others, at %s', (HOST) => {
    const [problem, ...others] = problemsOf({ HOST });
    expect(others).toEqual([]);
    expect(problem).toMatch(new RegExp(`^HOST ${HOST.replaceAll('.', '\\.')} .*API_KEYS_FILE.*ALLOW_UNAUTHENTICATED`));
  });

  it('serves others where somebody says so', () => {
    expect(read({ HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true' }).HOST).toBe('0.0.0.0');
  });

  it('with an empty file name is without keys', () => {
    expect(problemsOf({ HOST: '0.0.0.0', API_KEYS_FILE: '' })).toHaveLength(1);
  });
});

describe('with API keys', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mercury-producer-config-'));
  const keys = join(folder, 'keys');

  afterAll(() => rmSync(folder, { recursive: true }));

  it('serves others', () => {
    writeFileSync(keys, `shop:${'0'.repeat(64)}\n`);
    expect(read({ HOST: '0.0.0.0', API_KEYS_FILE: keys })).toMatchObject({ HOST: '0.0.0.0', API_KEYS_FILE: keys });
  });

  it('names what is wrong with their file beside everything else', () => {
    writeFileSync(keys, 'shop:secret\n');
    const problems = problemsOf({ PORT: 'x', API_KEYS_FILE: keys });
    expect(problems).toContainEqual('API_KEYS_FILE line 1 is not name:sha256');
    expect(problems.join()).toContain('PORT');
    expect(problems.join()).not.toContain('secret');
  });
});
