import { Transform, Type, plainToInstance, type ClassConstructor } from 'class-transformer';
import { IsIn, IsInt, IsNotEmpty, IsString, Matches, Max, MaxLength, Min, validateSync } from 'class-validator';
import { ConfigError } from '../errors';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** The variables that every application of this repository reads. Extend it with those of one's own. */
export class Environment {
  @Matches(/^amqps?:\/\/\S+$/, { message: 'RABBITMQ_URL must be one or more amqp:// URLs, separated by commas' })
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

  @MaxLength(200)
  @IsNotEmpty()
  QUEUE_NAME = 'tasks';

  @MaxLength(200)
  @IsNotEmpty()
  LOGGER_NAME = 'logs';

  @WholeNumbers()
  @IsInt({ each: true, message: 'RETRY_DELAYS_MS must be whole numbers of milliseconds, separated by commas' })
  RETRY_DELAYS_MS: number[] = [1_000, 10_000, 60_000, 600_000, 3_600_000];
}

/**
 * Reads an application's environment. Variables that are unset or empty keep their defaults.
 * @throws ConfigError `CONFIG_INVALID`, with every wrong variable, by name and never by value: some are secrets.
 */
export function readEnvironment<T extends object>(target: ClassConstructor<T>, source: NodeJS.ProcessEnv): T {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ''));
  const environment = plainToInstance(target, given, { exposeDefaultValues: true });
  const errors = validateSync(environment, { skipMissingProperties: false });
  const problems = errors.flatMap((error) => Object.values(error.constraints ?? {}));
  if (problems.length > 0) throw new ConfigError('Environment', problems);
  return environment;
}

/** `1000,10000` becomes `[1000, 10000]`; anything that is no number stays wrong, for validation to name it. */
export function WholeNumbers(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',').map((part) => (part.trim() === '' ? NaN : Number(part))) : value,
  );
}

/** For `main().catch(…)`: a wrong environment ends the process with a readable list, anything else with its stack. */
export function exitOnConfigError(error: unknown): never {
  if (error instanceof ConfigError) {
    process.stderr.write(`${['The environment is wrong:', ...error.problems].join('\n  - ')}\n`);
  } else {
    console.error(error);
  }
  process.exit(1);
}
