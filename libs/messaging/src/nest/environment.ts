import { Transform, Type, plainToInstance, type ClassConstructor } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsNotEmpty,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
  buildMessage,
  validateSync,
  type ValidationArguments,
  type ValidationOptions,
} from 'class-validator';
import { ConfigError } from '../errors';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** The variables that every application of this repository reads. Extend it with those of one's own. */
export class Environment {
  @Matches(/^amqps?:\/\/\S+$/, {
    message: ({ value }: ValidationArguments) =>
      value === undefined
        ? 'RABBITMQ_URL is not set (the npm commands set it)'
        : 'RABBITMQ_URL must be one or more amqp:// URLs, separated by commas',
  })
  RABBITMQ_URL!: string;

  @IsString()
  @IsNotEmpty()
  HOST = '127.0.0.1';

  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(65_535)
  PORT!: number;

  @IsIn(LOG_LEVELS)
  LOG_LEVEL = 'info';

  @IsBrokerName()
  QUEUE_NAME = 'tasks';

  @IsBrokerName()
  LOGGER_NAME = 'logs';

  @WholeNumbers()
  @IsInt({ each: true, message: 'RETRY_DELAYS_MS must be whole numbers of milliseconds, separated by commas' })
  @Min(1, { each: true, message: 'RETRY_DELAYS_MS must be 1 or more' })
  @IsAscending({ message: 'RETRY_DELAYS_MS must ascend, without repetition' })
  RETRY_DELAYS_MS: number[] = [1_000, 10_000, 60_000, 600_000, 3_600_000];
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
    ...check(environment),
  ];
  if (problems.length > 0) throw new ConfigError('Environment', problems);
  return environment;
}

/** `1000,10000` becomes `[1000, 10000]`; anything that is no number stays wrong, for validation to name it. */
export function WholeNumbers(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',').map((part) => (part.trim() === '' ? NaN : Number(part))) : value,
  );
}

/** RabbitMQ keeps `amq.` for itself; our own queues add suffixes to the 255 bytes that a name may have. */
function IsBrokerName(): PropertyDecorator {
  const validate = (name: unknown) =>
    typeof name === 'string' && name !== '' && Buffer.byteLength(name) <= 200 && !name.startsWith('amq.');
  const defaultMessage = buildMessage(() => '$property must be 1 to 200 bytes and must not start with "amq."');
  return ValidateBy({ name: 'isBrokerName', validator: { validate, defaultMessage } });
}

function IsAscending(options: ValidationOptions): PropertyDecorator {
  const validate = (list: unknown) =>
    Array.isArray(list) && list.every((item, index) => index === 0 || Number(item) > Number(list[index - 1]));
  return ValidateBy({ name: 'isAscending', validator: { validate } }, options);
}

/** For `main().catch(…)`: a wrong environment ends the process with a readable list, anything else with its stack. */
export function exitOnConfigError(error: unknown): never {
  if (error instanceof ConfigError) {
    process.stderr.write(`${['The environment is wrong:', ...error.problems].join('\n  - ')}\n`);
  } else if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    process.stderr.write(`${error.message}. Choose another port with PORT=...\n`);
  } else {
    console.error(error);
  }
  process.exit(1);
}
