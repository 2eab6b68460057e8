import 'reflect-metadata';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IsIn, IsOptional, Matches } from 'class-validator';
import { Authority } from '../../../../test/support/certificates';
import { ConfigError } from '../errors';
import { Environment, WholeNumbers, brokerOptionsOf, exitOnConfigError, readEnvironment } from './environment';

class AppEnvironment extends Environment {
  override PORT = 3_000;

  @IsOptional()
  @Matches(/^whsec_/)
  WEBHOOK_SECRET?: string;

  @WholeNumbers()
  @IsIn([1, 2], { each: true })
  SIZES = [1];
}

const minimal = { RABBITMQ_URL: 'amqp://localhost' };

function problemsOf(source: NodeJS.ProcessEnv): string[] {
  try {
    readEnvironment(AppEnvironment, source);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    return error.problems;
  }
  return [];
}

describe('readEnvironment', () => {
  const defaults = {
    RABBITMQ_URL: 'amqp://localhost',
    HOST: '127.0.0.1',
    PORT: 3_000,
    QUEUE_NAME: 'tasks',
    LOGGER_NAME: 'logs',
    TOPOLOGY: 'declare',
    RETRY_DELAYS_MS: [1_000, 10_000, 60_000, 600_000, 3_600_000],
    IDEMPOTENCY_TTL_MS: 86_400_000,
    SIZES: [1],
  };

  it('fills in the defaults', () => {
    expect(readEnvironment(AppEnvironment, minimal)).toMatchObject(defaults);
  });

  it('takes an empty variable for an unset one', () => {
    const empty = Object.fromEntries(Object.keys(defaults).map((name) => [name, '']));
    expect(readEnvironment(AppEnvironment, { ...empty, WEBHOOK_SECRET: '', ...minimal })).toMatchObject(defaults);
  });

  it('reads numbers as numbers and lists as lists', () => {
    const source = { ...minimal, PORT: '0', RETRY_DELAYS_MS: '100, 2000', SIZES: '2,1', QUEUE_NAME: '7' };
    expect(readEnvironment(AppEnvironment, source)).toMatchObject({
      PORT: 0,
      RETRY_DELAYS_MS: [100, 2_000],
      SIZES: [2, 1],
      QUEUE_NAME: '7',
    });
  });

  it.each<[string, string[]]>([
    ['RABBITMQ_URL', ['localhost', 'http://localhost', 'amqp://', 'amqp://a b']],
    ['PORT', ['-1', '65536', '80.5', 'http', '3000x']],
    ['TOPOLOGY', ['passive', 'Check']],
    ['QUEUE_NAME', ['x'.repeat(201), 'tasks.dead', 'a\nb']],
    ['RETRY_DELAYS_MS', [Array.from({ length: 21 }, (_, index) => index + 1).join()]],
    ['LOGGER_NAME', ['x'.repeat(201)]],
    ['RETRY_DELAYS_MS', ['1.5', '1000,', ',1000', 'soon', '1000;2000']],
    ['REDIS_URL', ['localhost:6379', 'http://localhost']],
    ['IDEMPOTENCY_TTL_MS', ['0', '1.5', '24h', '31622400001']],
    ['WEBHOOK_SECRET', ['whisper']],
  ])('refuses a wrong %s by name, and never shows the value: %j', (name, values) => {
    for (const value of values) {
      const problems = problemsOf({ ...minimal, [name]: value });
      expect(problems).not.toEqual([]);
      for (const problem of problems) expect(problem).toContain(name);
      if (value.length > 4 && !value.startsWith('amqp://')) expect(problems.join()).not.toContain(value);
    }
  });

  it('never shows the password of a wrong URL', () => {
    expect(problemsOf({ RABBITMQ_URL: 'http://user:hunter2@host' }).join()).not.toContain('hunter2');
  });

  it('names the one variable that has no default', () => {
    expect(problemsOf({})).toEqual([expect.stringContaining('RABBITMQ_URL')]);
  });

  describe('of TLS', () => {
    const secure = { RABBITMQ_URL: 'amqp://h, amqps://h' };
    const authority = new Authority('Test authority');
    const passphrase = 'hush';
    const { cert, key } = authority.issue('client', passphrase);
    let folder: string;
    const file = (name: string) => join(folder, name);
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'mercury-environment-'));
      for (const [name, text] of Object.entries({ ca: authority.certificate, cert, key }))
        writeFileSync(file(name), text);
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it('reads the files into the options of the broker', () => {
      const source = {
        ...secure,
        RABBITMQ_CA_FILE: file('ca'),
        RABBITMQ_CERT_FILE: file('cert'),
        RABBITMQ_KEY_FILE: file('key'),
        RABBITMQ_KEY_PASSPHRASE: passphrase,
        RABBITMQ_SERVER_NAME: 'broker.test',
      };
      const tls = {
        ca: Buffer.from(authority.certificate),
        cert: Buffer.from(cert),
        key: Buffer.from(key),
        passphrase,
        serverName: 'broker.test',
      };
      expect(brokerOptionsOf(readEnvironment(AppEnvironment, source))).toEqual({
        rabbitUrl: secure.RABBITMQ_URL,
        topology: 'declare',
        tls,
      });
    });

    it.each<[string, () => NodeJS.ProcessEnv, RegExp[]]>([
      [
        'files that cannot be read, beside what else is wrong',
        () => ({ ...secure, PORT: 'x', RABBITMQ_CA_FILE: file('nowhere'), RABBITMQ_KEY_FILE: folder }),
        [/PORT/, /RABBITMQ_CA_FILE cannot be read: ENOENT/, /RABBITMQ_KEY_FILE cannot be read: EISDIR/],
      ],
      [
        'a certificate without its key, also beside a wrong URL',
        () => ({ RABBITMQ_URL: 'amqps://h?verify=no', RABBITMQ_CERT_FILE: file('cert') }),
        [/RABBITMQ_URL has a parameter/, /RABBITMQ_CERT_FILE and RABBITMQ_KEY_FILE belong together/],
      ],
      [
        'a key without its passphrase',
        () => ({ ...secure, RABBITMQ_CERT_FILE: file('cert'), RABBITMQ_KEY_FILE: file('key') }),
        [/RABBITMQ_CERT_FILE, RABBITMQ_KEY_FILE and RABBITMQ_KEY_PASSPHRASE cannot be used/],
      ],
      [
        'an authority that is none',
        () => ({ ...secure, RABBITMQ_CA_FILE: file('key') }),
        [/RABBITMQ_CA_FILE holds no certificate/],
      ],
      [
        'what is for no URL',
        () => ({ ...minimal, RABBITMQ_SERVER_NAME: 'broker.test' }),
        [/no RABBITMQ_URL is amqps:/],
      ],
    ])('refuses %s', (_what, source, problems) => {
      expect(problemsOf(source())).toEqual(problems.map((text) => expect.stringMatching(text) as unknown));
    });
  });

  it('lists every wrong variable, not only the first', () => {
    const problems = problemsOf({ PORT: 'x', RETRY_DELAYS_MS: 'x', SIZES: '3' }).join('\n');
    for (const name of ['RABBITMQ_URL', 'PORT', 'RETRY_DELAYS_MS', 'SIZES']) expect(problems).toContain(name);
  });
});

describe('exitOnConfigError', () => {
  const exited = new Error('exited');
  let stderr: string;

  beforeEach(() => {
    stderr = '';
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
    jest.spyOn(console, 'error').mockImplementation((error) => {
      stderr += (error as Error).stack;
    });
    jest.spyOn(process, 'exit').mockImplementation(() => {
      throw exited;
    });
  });
  afterEach(() => jest.restoreAllMocks());

  it('ends the process with a list of what is wrong, without a stack', () => {
    expect(() => exitOnConfigError(new ConfigError('Environment', ['PORT is wrong', 'HOST is empty']))).toThrow(exited);
    expect(process.exit).toHaveBeenCalledWith(1);
    expect(stderr).toBe('The environment is wrong:\n  - PORT is wrong\n  - HOST is empty\n');
  });

  it('ends the process with the stack of anything else', () => {
    const error = new Error('a bug');
    expect(() => exitOnConfigError(error)).toThrow(exited);
    expect(process.exit).toHaveBeenCalledWith(1);
    expect(stderr).toContain(error.stack);
  });
});
