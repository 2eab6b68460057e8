import { Transform, plainToInstance, type ClassConstructor } from 'class-transformer';
import {
  ArrayMaxSize,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Max,
  Min,
  ValidateBy,
  validateSync,
  type ValidationArguments,
  type ValidationOptions,
} from 'class-validator';
import { readBrokerUrl } from '../broker/broker-url';
import { TOPOLOGY_MODES, type TopologyMode } from '../broker/options';
import { checkTls, readTls, tlsFrom, type TlsOptions } from '../broker/tls';
import { nameProblem, queueNameProblem } from '../checks';
import { ConfigError } from '../errors';
import { MOST_LEVELS } from '../tasks/options';

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const LONGEST_TTL_MS = 366 * 86_400_000;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** The variables that every application of this repository reads. Extend it with those of one's own. */
export class Environment {
  @IsAmqpUrls({
    message: ({ value }: ValidationArguments) => urlProblems(value).join('; '),
  })
  RABBITMQ_URL!: string;

  /** PEM files for amqps:// URLs: whose certificates are trusted, and the client's own. */
  @IsOptional()
  @IsString()
  RABBITMQ_CA_FILE?: string;

  @IsOptional()
  @IsString()
  RABBITMQ_CERT_FILE?: string;

  @IsOptional()
  @IsString()
  RABBITMQ_KEY_FILE?: string;

  @IsOptional()
  @IsString()
  RABBITMQ_KEY_PASSPHRASE?: string;

  /** The name in the broker's certificate, where it is not the host of the URL. */
  @IsOptional()
  @IsString()
  RABBITMQ_SERVER_NAME?: string;

  @IsString()
  @IsNotEmpty()
  HOST = '127.0.0.1';

  @WholeNumber()
  @IsInt()
  @Min(0)
  @Max(65_535)
  PORT!: number;

  @IsIn(LOG_LEVELS)
  LOG_LEVEL = 'info';

  @IsBrokerName(queueNameProblem)
  QUEUE_NAME = 'tasks';

  @IsBrokerName(nameProblem)
  LOGGER_NAME = 'logs';

  /** Who declares exchanges, queues and bindings. */
  @IsIn(TOPOLOGY_MODES)
  TOPOLOGY: TopologyMode = 'declare';

  @WholeNumbers()
  @IsInt({ each: true, message: 'RETRY_DELAYS_MS must be whole numbers of milliseconds, separated by commas' })
  @Min(1, { each: true, message: 'RETRY_DELAYS_MS must be 1 or more' })
  @Max(LONGEST_TIMER_MS, { each: true, message: `RETRY_DELAYS_MS must be at most ${LONGEST_TIMER_MS}` })
  @ArrayMaxSize(MOST_LEVELS, { message: `RETRY_DELAYS_MS must be at most ${MOST_LEVELS} delays` })
  @IsAscending({ message: 'RETRY_DELAYS_MS must ascend, without repetition' })
  RETRY_DELAYS_MS: number[] = [1_000, 10_000, 60_000, 600_000, 3_600_000];

  /** Where it is remembered what was done; in the memory of the process when unset. */
  @IsOptional()
  @IsRedisUrl({ message: 'REDIS_URL must be a redis:// or rediss:// URL' })
  REDIS_URL?: string;

  /** How long it is remembered, in milliseconds. */
  @WholeNumber()
  @IsInt()
  @Min(1)
  @Max(LONGEST_TTL_MS)
  IDEMPOTENCY_TTL_MS = 86_400_000;
}

/**
 * Reads an application's environment. Variables that are unset or empty keep their defaults.
 * @param check finds what no decorator can: problems of variables together, or of what they point to.
 * @throws ConfigError `CONFIG_INVALID`, with every wrong variable, by name and never by value: some are secrets.
 */
export function readEnvironment<T extends object>(
  target: ClassConstructor<T>,
  source: NodeJS.ProcessEnv,
  check: (environment: T) => string[] = () => [],
): T {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ''));
  const environment = plainToInstance(target, given, { exposeDefaultValues: true });
  const errors = validateSync(environment, { skipMissingProperties: false });
  const problems = [
    // One per variable: the topmost decorator, which speaks of the type.
    ...errors.flatMap((error) => Object.values(error.constraints ?? {}).slice(-1)),
    ...(environment instanceof Environment ? tlsProblems(environment) : []),
    ...check(environment),
  ];
  if (problems.length > 0) throw new ConfigError('Environment', problems);
  return environment;
}

/** Where the broker is, as options of the module: the URL, how its TLS is trusted, and who declares there. */
export function brokerOptionsOf(environment: Environment): {
  rabbitUrl: string;
  topology: TopologyMode;
  tls?: TlsOptions;
} {
  const tls = tlsFrom(environment);
  return { rabbitUrl: environment.RABBITMQ_URL, topology: environment.TOPOLOGY, ...(tls ? { tls } : {}) };
}

/** In the words of the environment, as those of the URL. */
function tlsProblems(environment: Environment): string[] {
  const problems: string[] = [];
  const urls = urlProblems(environment.RABBITMQ_URL).length === 0 ? environment.RABBITMQ_URL.split(',') : [];
  const tls = readTls(environment, problems);
  // What could not be read is missing only here.
  if (problems.length === 0)
    checkTls(
      tls,
      urls.map((url) => url.trim()),
      problems,
    );
  return problems.map((problem) =>
    problem
      .replace('tls is given', 'Certificates or a server name are given')
      .replace('rabbitUrl', 'RABBITMQ_URL')
      .replace('tls.passphrase', 'RABBITMQ_KEY_PASSPHRASE')
      .replace(/tls\.(ca|cert|key)/g, (_option, name: string) => `RABBITMQ_${name.toUpperCase()}_FILE`),
  );
}

/** `10` becomes 10; anything that is no whole number stays wrong, for validation to name it. */
export function WholeNumber(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? wholeNumber(value) : value));
}

/** `1000,10000` becomes `[1000, 10000]`; anything that is no number stays wrong, for validation to name it. */
export function WholeNumbers(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',').map(wholeNumber) : value,
  );
}

function wholeNumber(text: string): number {
  return /^-?\d+$/.test(text.trim()) ? Number(text) : NaN;
}

function IsBrokerName(problemOf: (name: unknown) => string | undefined): PropertyDecorator {
  const validate = (name: unknown) => problemOf(name) === undefined;
  const message = ({ property, value }: ValidationArguments) => `${property} ${problemOf(value)}`;
  return ValidateBy({ name: 'isBrokerName', validator: { validate } }, { message });
}

function IsAmqpUrls(options: ValidationOptions): PropertyDecorator {
  const validate = (urls: unknown) => urlProblems(urls).length === 0;
  return ValidateBy({ name: 'isAmqpUrls', validator: { validate } }, options);
}

/** Those of the library, in the words of the environment. */
function urlProblems(urls: unknown): string[] {
  if (typeof urls !== 'string') return ['RABBITMQ_URL is not set (the npm commands set it)'];
  const problems: string[] = [];
  for (const url of urls.split(',')) readBrokerUrl(url.trim(), problems);
  return [...new Set(problems)].map((problem) => problem.replaceAll('rabbitUrl', 'RABBITMQ_URL'));
}

function IsRedisUrl(options: ValidationOptions): PropertyDecorator {
  const validate = (url: unknown) =>
    typeof url === 'string' && URL.canParse(url) && ['redis:', 'rediss:'].includes(new URL(url).protocol);
  return ValidateBy({ name: 'isRedisUrl', validator: { validate } }, options);
}

function IsAscending(options: ValidationOptions): PropertyDecorator {
  const validate = (list: unknown) =>
    Array.isArray(list) && list.every((item, index) => index === 0 || Number(item) > Number(list[index - 1]));
  return ValidateBy({ name: 'isAscending', validator: { validate } }, options);
}

/** What to do where HOST and PORT cannot be listened on. */
const LISTEN_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Choose another port with PORT=...',
  EACCES: 'Choose a port above 1023 with PORT=...',
  EADDRNOTAVAIL: 'HOST must be an address of this machine, or 0.0.0.0 for all of them.',
  ENOTFOUND: 'HOST must be an address or a name of this machine, or 0.0.0.0 for all of them.',
  EAI_AGAIN: 'HOST must be an address or a name of this machine, or 0.0.0.0 for all of them.',
};

/** For `main().catch(…)`: a wrong environment ends the process with a readable list, anything else with its stack. */
export function exitOnConfigError(error: unknown): never {
  if (error instanceof ConfigError) {
    process.stderr.write(`${['The environment is wrong:', ...error.problems].join('\n  - ')}\n`);
  } else if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code in LISTEN_ADVICE
  ) {
    process.stderr.write(`${error.message}. ${LISTEN_ADVICE[error.code]}\n`);
  } else {
    console.error(error);
  }
  process.exit(1);
}
