import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  applyTopology,
  printable,
  topologyDifferences,
  topologyOf,
  type BusTopologyOptions,
  type SubscriptionTopologyOptions,
  type TopologyOptions,
} from '@mercury/messaging';
import { brokerOptions, retryDelays as levelsOf } from './broker-options';
import { EXIT, UsageError, type ExitCode } from './exit-codes';
import { jsonOf, print, tableOf } from './output';
import { rabbitDefinitions, tableOfDefinitions } from './topology-output';

interface WhichOptions {
  queue: string[];
  retryDelays?: number[];
  schedules?: boolean;
  bus: BusTopologyOptions[];
  subscription: SubscriptionTopologyOptions[];
}

interface PrintOptions extends WhichOptions {
  output: 'table' | 'json' | 'definitions';
  vhost?: string;
}

interface DiffOptions extends WhichOptions {
  output: 'table' | 'json';
}

/** Adds `topology print`, `apply` and `diff`. */
export function addTopologyCommands(
  program: Command,
  findBroker: () => Promise<void>,
  end: (code: ExitCode) => void,
): void {
  const topology = program
    .command('topology')
    .description('Exchanges, queues and bindings, for operators who declare them themselves.');

  withWhich(topology.command('print'))
    .description('Print what queues and buses need. Asks no broker.')
    .addOption(
      new Option('-o, --output <format>', 'how to print; definitions: as RabbitMQ imports them')
        .choices(['table', 'json', 'definitions'])
        .default('table'),
    )
    .option('--vhost <name>', 'into the definitions, for rabbitmqctl import_definitions')
    .action(({ output, vhost, ...which }: PrintOptions) => {
      const definitions = topologyOf(wanted(which));
      if (output === 'table') print(tableOfDefinitions(definitions));
      else print(jsonOf(output === 'json' ? definitions : rabbitDefinitions(definitions, vhost)));
      end(EXIT.ok);
    });

  withWhich(topology.command('apply'))
    .description('Declare what is missing. What is there stays as it is.')
    .action(async (which: WhichOptions) => {
      const all = wanted(which);
      const { exchanges, queues, bindings } = topologyOf(all);
      await findBroker();
      for (const { code, message } of await applyTopology(brokerOptions(), all)) say(`${code}: ${message}`);
      say(`${exchanges.length} exchanges, ${queues.length} queues and ${bindings.length} bindings are there`);
      end(EXIT.ok);
    });

  withWhich(topology.command('diff'))
    .description('Say what is missing on the broker, or is there with other arguments. Changes nothing.')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .action(async ({ output, ...which }: DiffOptions) => {
      const all = wanted(which);
      topologyOf(all);
      await findBroker();
      const differences = await topologyDifferences(brokerOptions(), all);
      const rows = differences.map(({ kind, name, text }) => [kind, printable(name), printable(text ?? 'missing')]);
      if (output === 'json') print(jsonOf({ differences }));
      else if (rows.length > 0) print(tableOf(['KIND', 'NAME', 'DIFFERENCE'], rows));
      say(`Differences: ${differences.length}. Bindings cannot be compared: apply makes them`);
      end(differences.length === 0 ? EXIT.ok : EXIT.differs);
    });
}

function withWhich(command: Command): Command {
  return command
    .option('-q, --queue <name>', 'a work queue; repeatable (default: QUEUE_NAME)', collected<string>(String), [])
    .option('--retry-delays <ms,…>', 'the retry levels of these queues, in milliseconds', levelsOf)
    .option('--schedules', 'a Scheduler puts tasks on these queues')
    .option('--bus <name:kind>', 'an event bus; direct, fanout, topic or headers; repeatable', collected(bus), [])
    .option(
      '--subscription <bus:durable:key,…>',
      'a durable subscription of a --bus, with the keys that it hears; repeatable',
      collected(subscription),
      [],
    );
}

function wanted({
  queue,
  retryDelays,
  schedules = false,
  bus: buses,
  subscription: given,
}: WhichOptions): TopologyOptions {
  const fallback = process.env['QUEUE_NAME'] && buses.length === 0 ? [process.env['QUEUE_NAME']] : [];
  const names = queue.length > 0 ? queue : fallback;
  if (names.length + buses.length === 0) throw new UsageError('Which? Give --queue or --bus.');
  const delays = retryDelays ? { retryDelaysMs: retryDelays } : {};
  const queues = names.map((queueName) => ({ queueName, schedules, ...delays }));
  return { queues, buses, subscriptions: given.map((each) => ({ ...each, ...delays })) };
}

function collected<Value>(read: (text: string) => Value): (text: string, before: Value[]) => Value[] {
  return (text, before) => [...before, read(text)];
}

/** A name may have colons: the kind is behind the last one. */
function bus(text: string): BusTopologyOptions {
  const [, name, kind] = /^(.+):(direct|fanout|topic|headers)$/.exec(text) ?? [];
  if (name === undefined)
    throw new InvalidArgumentError('Write logs:direct; kinds are direct, fanout, topic, headers.');
  return { name, kind: kind as NonNullable<BusTopologyOptions['kind']> };
}

function subscription(text: string): SubscriptionTopologyOptions {
  const [, name, durable, keys] = /^(.+):([^:.]+):([^:]*)$/.exec(text) ?? [];
  if (name === undefined || durable === undefined)
    throw new InvalidArgumentError('Write shop:billing:order.paid,order.refunded.');
  return { bus: name, durable, keys: (keys ?? '').split(',') };
}

const say = (text: string) => process.stderr.write(`${printable(text)}.\n`);
