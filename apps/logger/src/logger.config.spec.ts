import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@mercury/messaging';
import { readLoggerEnvironment } from './logger.config';

const RABBITMQ_URL = 'amqp://localhost';

function problemsOf(variables: NodeJS.ProcessEnv): string[] {
  try {
    readLoggerEnvironment(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the logger’s environment', () => {
  it('needs the broker’s address only', () => {
    expect(readLoggerEnvironment({ RABBITMQ_URL })).toMatchObject({
      RABBITMQ_URL,
      HOST: '127.0.0.1',
      PORT: 3002,
      LOGGER_NAME: 'logs',
      LOGGER_SINKS: 'stdout:info,critical;file:critical',
      LOG_FILE: 'logs/critical.jsonl',
    });
  });

  it.each([
    ['PORT', '8080', 8080],
    ['HOST', '0.0.0.0', '0.0.0.0'],
    ['LOGGER_NAME', 'logger_metaclass', 'logger_metaclass'],
    ['LOGGER_SINKS', 'file:info', 'file:info'],
    ['LOG_FILE', '/var/log/mercury.jsonl', '/var/log/mercury.jsonl'],
    ['LOG_FILE', '', 'logs/critical.jsonl'],
  ])('reads %s=%s', (name, value, expected) => {
    expect(readLoggerEnvironment({ RABBITMQ_URL, [name]: value })).toHaveProperty(name, expected);
  });

  it('names every wrong variable at once, and repeats no value', () => {
    const wrong = { RABBITMQ_URL: 'http://user:hunter2@host', PORT: '3002x', LOGGER_NAME: 'l'.repeat(201) };
    const problems = problemsOf(wrong);
    const named = new Set(problems.map((problem) => problem.split(' ')[0]));
    expect([...named].sort()).toEqual(['LOGGER_NAME', 'PORT', 'RABBITMQ_URL']);
    expect(problems.join()).not.toContain('hunter2');
  });

  it.each([
    ['under a file', `${__filename}/critical.jsonl`],
    ['with a name that is too long', join(tmpdir(), 'x'.repeat(300))],
    ['with a folder whose name is too long', join(tmpdir(), 'x'.repeat(300), 'critical.jsonl')],
    ['in /proc, where nobody can make a folder', '/proc/x/y'],
    ['that is a folder', tmpdir()],
    ['that ends with a slash', `${tmpdir()}/`],
  ])('tells of a LOG_FILE %s in one sentence, with all else that is wrong', (_what, LOG_FILE) => {
    const problems = problemsOf({ RABBITMQ_URL, PORT: '3002x', LOG_FILE });
    expect(problems).toEqual([
      expect.stringMatching(/^PORT /),
      expect.stringMatching(/^LOG_FILE cannot be opened: .+$/),
    ]);
  });

  it('does not look at a LOG_FILE that no sink writes', () => {
    expect(problemsOf({ RABBITMQ_URL, LOGGER_SINKS: 'stdout:info', LOG_FILE: '/proc/x/y' })).toEqual([]);
  });
});
