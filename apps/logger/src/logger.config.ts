import { Environment, readEnvironment } from '@mercury/messaging/nest';
import { ConfigError } from '@mercury/messaging';
import { IsNotEmpty, IsString } from 'class-validator';
import { parseSinks } from './sinks';
import { openProblem } from './sinks/log-file';

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
    const problem = wantsFile ? openProblem(logFile) : undefined;
    return problem === undefined ? [] : [`LOG_FILE cannot be opened: ${problem}`];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
