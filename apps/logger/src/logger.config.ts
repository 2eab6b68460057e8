import { statSync } from 'node:fs';
import { Environment, readEnvironment } from '@mercury/messaging/nest';
import { ConfigError } from '@mercury/messaging';
import { IsNotEmpty, IsString } from 'class-validator';
import { parseSinks } from './sinks';

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
  return readEnvironment(LoggerEnvironment, source, ({ LOGGER_SINKS, LOG_FILE }) =>
    sinkProblemsOf(LOGGER_SINKS, LOG_FILE),
  );
}

function sinkProblemsOf(sinks: string, logFile: string): string[] {
  try {
    const wantsFile = parseSinks(sinks).some(({ name }) => name === 'file');
    return wantsFile && isFolder(logFile) ? ['LOG_FILE is a folder'] : [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
