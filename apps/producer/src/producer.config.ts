import { Environment, WholeNumber, readEnvironment } from '@mercury/messaging/nest';
import { ConfigError } from '@mercury/messaging';
import { IsIn, IsInt, IsOptional, IsString, Min } from 'class-validator';
import { ApiKeys } from './access/api-keys';
import { schedulesFromFile } from './schedules/schedules-file';

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

export class ProducerEnvironment extends Environment {
  override PORT = 3000;

  /** A file of `name:sha256` lines, one per API key. */
  @IsOptional()
  @IsString()
  API_KEYS_FILE?: string;

  /** `true` serves other machines without keys: for networks that somebody else guards. */
  @IsIn(['true', 'false'])
  ALLOW_UNAUTHENTICATED = 'false';

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
