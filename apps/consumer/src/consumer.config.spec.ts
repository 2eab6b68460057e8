import { ConfigError } from '@mercury/messaging';
import { readConsumerEnvironment } from './consumer.config';

const RABBITMQ_URL = 'amqp://user:hunter2@localhost';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const read = (variables: NodeJS.ProcessEnv = {}) => readConsumerEnvironment({ RABBITMQ_URL, ...variables });

function problemsOf(variables: NodeJS.ProcessEnv): string[] {
  try {
    read(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the consumer’s environment', () => {
  it('needs the broker’s address only', () => {
    expect(read()).toMatchObject({
      RABBITMQ_URL,
      HOST: '127.0.0.1',
      PORT: 3001,
      QUEUE_NAME: 'tasks',
      LOGGER_NAME: 'logs',
      WORKER_CAPACITY: 10,
      MAX_ATTEMPTS: 6,
      RETRY_DELAYS_MS: [1_000, 10_000, 60_000, 600_000, 3_600_000],
      WEBHOOK_ALLOWED_HOSTS: [],
      WEBHOOK_TIMEOUT_MS: 10_000,
    });
    expect(read().WEBHOOK_SECRET).toBeUndefined();
  });

  it('takes an empty variable for one that is not set', () => {
    expect(read({ PORT: '', QUEUE_NAME: '', WEBHOOK_SECRET: '', RETRY_DELAYS_MS: '' })).toEqual(read());
  });

  it.each([
    ['PORT', '0', 0],
    ['WORKER_CAPACITY', '65535', 65_535],
    ['MAX_ATTEMPTS', '1', 1],
    ['QUEUE_NAME', 'jobs.eu', 'jobs.eu'],
    ['RETRY_DELAYS_MS', '500', [500]],
    ['RETRY_DELAYS_MS', '500, 1000,2000', [500, 1_000, 2_000]],
    ['WEBHOOK_SECRET', SECRET, SECRET],
    ['WEBHOOK_ALLOWED_HOSTS', 'localhost', ['localhost']],
    [
      'WEBHOOK_ALLOWED_HOSTS',
      'localhost:8080, 10.0.0.1 ,[::1]:80,[fd00::1]',
      ['localhost:8080', '10.0.0.1', '[::1]:80', '[fd00::1]'],
    ],
    ['RABBITMQ_URL', 'amqps://a,amqp://b', 'amqps://a,amqp://b'],
  ])('reads %s=%s', (name, value, expected) => {
    expect(read({ [name]: value })).toHaveProperty(name, expected);
  });

  it.each([
    ['RABBITMQ_URL', ''],
    ['RABBITMQ_URL', 'http://localhost'],
    ['PORT', 'abc'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['QUEUE_NAME', 'q'.repeat(201)],
    ['WORKER_CAPACITY', '0'],
    ['WORKER_CAPACITY', '65536'],
    ['WORKER_CAPACITY', '1.5'],
    ['MAX_ATTEMPTS', '0'],
    ['RETRY_DELAYS_MS', '1000,soon'],
    ['RETRY_DELAYS_MS', '1000,,2000'],
    ['RETRY_DELAYS_MS', '1000,2000.5'],
    ['WEBHOOK_SECRET', 'secret'],
    ['WEBHOOK_SECRET', 'whsec_short'],
    ['WEBHOOK_SECRET', `${SECRET}!`],
    ['WEBHOOK_ALLOWED_HOSTS', 'http://localhost'],
    ['WEBHOOK_ALLOWED_HOSTS', 'localhost,,other'],
    ['WEBHOOK_ALLOWED_HOSTS', 'localhost:port'],
    ['WEBHOOK_ALLOWED_HOSTS', '::1'],
    ['WEBHOOK_ALLOWED_HOSTS', 'localhost/path'],
    ['WEBHOOK_ALLOWED_HOSTS', '010.0.0.1'],
    ['WEBHOOK_ALLOWED_HOSTS', 'localhost:99999'],
    ['WEBHOOK_ALLOWED_HOSTS', 'localhost:0'],
    ['WEBHOOK_ALLOWED_HOSTS', '[::0001]'],
    ['WEBHOOK_TIMEOUT_MS', '0'],
    ['WEBHOOK_TIMEOUT_MS', '600001'],
  ])('refuses %s=%s, by name', (name, value) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).not.toEqual([]);
    expect(problems.filter((problem) => !problem.startsWith(name))).toEqual([]);
  });

  it('names every wrong variable at once', () => {
    const wrong = {
      RABBITMQ_URL: 'localhost',
      PORT: 'abc',
      QUEUE_NAME: 'q'.repeat(201),
      LOGGER_NAME: 'l'.repeat(201),
      RETRY_DELAYS_MS: 'soon',
      WORKER_CAPACITY: '0',
      MAX_ATTEMPTS: 'all',
      WEBHOOK_SECRET: 'none',
      WEBHOOK_ALLOWED_HOSTS: '*:*',
      WEBHOOK_TIMEOUT_MS: '1e9',
    };
    const named = new Set(problemsOf(wrong).map((problem) => problem.split(' ')[0]));
    expect([...named].sort()).toEqual(Object.keys(wrong).sort());
  });

  it('never repeats a value: some are secrets', () => {
    const wrong = { RABBITMQ_URL: 'http://user:hunter2@host', WEBHOOK_SECRET: 'whsec_hunter2', PORT: 'hunter2' };
    const text = problemsOf(wrong).join();
    expect(text).toContain('WEBHOOK_SECRET');
    expect(text).not.toContain('hunter2');
  });
});
