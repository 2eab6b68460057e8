import { Command, CommanderError } from 'commander';
import { ConfigError, MercuryError, printable } from '@mercury/messaging';
import { addDeadCommands } from './dead.commands';
import { EXIT, UsageError, type ExitCode } from './exit-codes';
import { addSubscriptionCommands } from './subscription.commands';
import { addTopologyCommands } from './topology.commands';

const SAME_SIGNAL_MS = 500;

const AFTERWORD = `
Environment: RABBITMQ_URL, and QUEUE_NAME in place of --queue.
Exit codes: 0 done, 1 failed, 2 wrong command line or missing --yes, 3 nothing matched, 4 the topology differs, 130 stopped by a signal.`;

/**
 * Runs one command line to its end. Never throws.
 * @param version what `--version` answers.
 * @param findBroker called before a command that needs a broker: may set RABBITMQ_URL.
 */
export async function runMercury(
  args: string[],
  version: string,
  findBroker = async (): Promise<void> => undefined,
): Promise<ExitCode> {
  const signal = stopSignal();
  const program = new Command('mercury').description('Looks after a Mercury system.').exitOverride();
  program.version(version, '-v, --version');
  program.addHelpText('after', AFTERWORD);
  let code: ExitCode = EXIT.ok;
  addDeadCommands(program, findBroker, signal, (ended) => (code = ended));
  addSubscriptionCommands(program, findBroker, signal, (ended) => (code = ended));
  addTopologyCommands(program, findBroker, (ended) => (code = ended));
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has told it already; an exit code of 0 is that of --help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (signal.aborted) return EXIT.stopped;
    process.stderr.write(`${printable(textOf(error))}\n`);
    return isUsage(error) ? EXIT.usage : EXIT.failed;
  }
}

function isUsage(error: unknown): boolean {
  if (error instanceof UsageError || error instanceof ConfigError) return true;
  return error instanceof MercuryError && error.code === 'DEAD_LETTERS_INVALID';
}

function textOf(error: unknown): string {
  if (error instanceof ConfigError) return `${error.code}: ${asTyped(error.problems.join('; '))}.`;
  if (error instanceof MercuryError) return `${error.code}: ${asTyped(error.message)}`;
  return error instanceof Error ? error.message : String(error);
}

/** The library names its options, of which whoever types a command knows nothing. */
function asTyped(text: string): string {
  return text
    .replace(/\brabbitUrl\b/g, 'RABBITMQ_URL')
    .replace(/\bqueueName\b/g, '--queue')
    .replace(/\bretryDelaysMs\b/g, '--retry-delays');
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let firstAtMs: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      firstAtMs ??= performance.now();
      // npm passes a signal on beside the terminal's own: two so close together are one.
      if (performance.now() - firstAtMs > SAME_SIGNAL_MS) process.exit(EXIT.stopped);
      stop.abort();
    });
  }
  return stop.signal;
}
