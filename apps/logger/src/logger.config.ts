import { Environment, readEnvironment } from '@mercury/messaging/nest';
import { IsNotEmpty, IsString } from 'class-validator';

export class LoggerEnvironment extends Environment {
  override PORT = 3002;

  /** Which sink takes which levels. */
  @IsString()
  @IsNotEmpty()
  LOGGER_SINKS = 'stdout:info,critical;file:critical';

  /** Where the file sink writes. */
  @IsString()
  @IsNotEmpty()
  LOG_FILE = 'logs/critical.jsonl';
}

/** @throws ConfigError `CONFIG_INVALID`, with every wrong variable. */
export function readLoggerEnvironment(source: NodeJS.ProcessEnv = process.env): LoggerEnvironment {
  return readEnvironment(LoggerEnvironment, source);
}
