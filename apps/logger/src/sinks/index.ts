import { LEVELS, ConfigError, type Level } from '@mercury/messaging';
import { FileSink } from './file.sink';
import type { Sink } from './sink';
import { StdoutSink } from './stdout.sink';

export { SINKS, type Sink } from './sink';

type SinkName = 'stdout' | 'file';
const NAMES: readonly string[] = ['stdout', 'file'] satisfies SinkName[];

/** Opens what `LOGGER_SINKS` names. @throws ConfigError `CONFIG_INVALID`. */
export function openSinks(text: string, logFile: string): Sink[] {
  return parseSinks(text).map(({ name, levels }) =>
    name === 'stdout' ? new StdoutSink(levels) : new FileSink(levels, logFile),
  );
}

/**
 * `stdout:info,critical;file:critical` says which sink takes which levels.
 * @throws ConfigError `CONFIG_INVALID`, with every problem.
 */
export function parseSinks(text: string): { name: SinkName; levels: Level[] }[] {
  const problems: string[] = [];
  const parts = text.split(';').map((part) => part.trim());
  const sinks = parts.map((part) => {
    const [name = '', levelsText = '', ...rest] = part.split(':').map((half) => half.trim());
    if (rest.length > 0) problems.push(`LOGGER_SINKS: "${part}" has more than one colon; sinks are separated by ";"`);
    const levels = levelsText.split(',').map((level) => level.trim());
    if (!NAMES.includes(name)) problems.push(`LOGGER_SINKS: there is no sink "${name}", only ${NAMES.join(', ')}`);
    for (const level of levels) {
      if (!isLevel(level)) problems.push(`LOGGER_SINKS: there is no level "${level}", only ${LEVELS.join(', ')}`);
    }
    return { name: name as SinkName, levels: levels.filter(isLevel) };
  });
  const names = sinks.map(({ name }) => name);
  if (new Set(names).size < names.length) problems.push('LOGGER_SINKS: name each sink once');
  if (problems.length > 0) throw new ConfigError('Environment', problems);
  return sinks;
}

function isLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text);
}
