import { Option, type Command } from 'commander';
import { EventBus, printable } from '@mercury/messaging';
import { brokerOptions, retryDelays as levelsOf } from './broker-options';
import { EXIT, type ExitCode } from './exit-codes';
import { jsonOf, print } from './output';

interface RemoveOptions {
  discard?: boolean;
  retryDelays?: number[];
  output: 'text' | 'json';
}

/** Adds `subscription remove`. */
export function addSubscriptionCommands(
  program: Command,
  findBroker: () => Promise<void>,
  signal: AbortSignal,
  end: (code: ExitCode) => void,
): void {
  const subscription = program.command('subscription').description('Durable subscriptions of the event bus.');

  subscription
    .command('remove <bus> <durable>')
    .description('Remove one that is given up, with all of its queues. Stop its replicas first.')
    .option('--discard', 'also when events or dead letters are in it: they are gone for good')
    .option('--retry-delays <ms,…>', 'the retry levels that it had, if not those by default', levelsOf)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .action(async (name: string, durable: string, { discard = false, retryDelays, output }: RemoveOptions) => {
      await findBroker();
      const bus = new EventBus({ ...brokerOptions(), name });
      // What is wrong with the broker is told by the error that the command ends with.
      bus.events.on('problem', () => undefined);
      signal.addEventListener('abort', () => void bus.stop());
      try {
        const levels = retryDelays === undefined ? {} : { retryDelaysMs: retryDelays };
        const removed = await bus.removeSubscription(durable, { discard, ...levels });
        if (output === 'json') print(jsonOf(removed));
        const { wasThere, events, deadLetters } = removed;
        const told = wasThere
          ? `Removed; discarded with it: ${events} events, ${deadLetters} dead letters.`
          : `There is no subscription "${durable}" on the bus "${name}".`;
        process.stderr.write(`${printable(told)}\n`);
        end(wasThere ? EXIT.ok : EXIT.nothing);
      } finally {
        await bus.stop();
      }
    });
}
