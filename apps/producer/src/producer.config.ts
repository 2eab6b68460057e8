import { Environment, WholeNumber, readEnvironment } from '@mercury/messaging/nest';
import { ConfigError } from '@mercury/messaging';
import { Transform } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { ApiKeys } from './access/api-keys';
import { schedulesFromFile } from './schedules/schedules-file';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
const LONGEST_SHUTDOWN_DELAY_MS = 600_000;

export class ProducerEnvironment extends Environment {
  override PORT = 3000;

  /** A file of `name:sha256` lines, one per API key. */
  @IsOptional()
  @IsString()
  API_KEYS_FILE?: string;

  /** `true` serves other machines without keys: for networks that somebody else guards. */
  @IsIn(['true', 'false'])
  ALLOW_UNAUTHENTICATED = 'false';

  /** Names by which the producer may be asked without keys, besides those of loopback. */
  @Names()
  @Matches(/^[a-z\d.-]+$/, {
    each: true,
    message: 'ALLOWED_HOSTS must be host names without ports, separated by commas',
  })
  ALLOWED_HOSTS: string[] = [];

  /** So long the producer goes on answering after SIGTERM, and says that it is not ready. */
  @WholeNumber()
  @IsInt()
  @Min(0)
  @Max(LONGEST_SHUTDOWN_DELAY_MS)
  SHUTDOWN_DELAY_MS = 0;

  /** Per API key, or per address without keys; unlimited when unset. */
  @IsOptional()
  @WholeNumber()
  @IsInt()
  @Min(1)
  RATE_LIMIT_PER_MINUTE?: number;

  /** A JSON file of recurring tasks; none when unset. */
  @IsOptional()
  @IsString()
  SCHEDULES_FILE?: string;
}

/** `a.example, B.example` becomes `['a.example', 'b.example']`. */
function Names(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',').map((name) => name.trim().toLowerCase()) : value,
  );
}

/** @throws ConfigError `CONFIG_INVALID`, with every wrong variable. */
export function readProducerEnvironment(source: NodeJS.ProcessEnv = process.env): ProducerEnvironment {
  return readEnvironment(ProducerEnvironment, source, (environment) => [
    ...openDoorOf(environment),
    ...problemsOf(environment.API_KEYS_FILE, (path) => ApiKeys.fromFile(path)),
    ...problemsOf(environment.SCHEDULES_FILE, schedulesFromFile),
  ]);
}

function openDoorOf({ HOST, API_KEYS_FILE, ALLOW_UNAUTHENTICATED }: ProducerEnvironment): string[] {
  if (LOOPBACK.has(HOST) || API_KEYS_FILE || ALLOW_UNAUTHENTICATED === 'true') return [];
  const advice = 'set API_KEYS_FILE, or ALLOW_UNAUTHENTICATED=true if others guard this network';
  return [`HOST ${HOST} would let every machine post tasks: ${advice}`];
}

function problemsOf(path: string | undefined, read: (path: string) => unknown): string[] {
  if (!path) return [];
  try {
    read(path);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
