import { printable, type Definitions } from '@mercury/messaging';
import { tableOf } from './output';

/** One line for each exchange, queue and binding. */
export function tableOfDefinitions({ exchanges, queues, bindings }: Definitions): string {
  const argumentsOf = (args: Readonly<Record<string, unknown>>) =>
    Object.entries(args)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(' ');
  const rows = [
    ...exchanges.map(({ name, type, alternateExchange }) => [
      'exchange',
      name,
      alternateExchange === undefined ? type : `${type} alternate-exchange=${alternateExchange}`,
    ]),
    ...queues.map((queue) => ['queue', queue.name, argumentsOf(queue.arguments)]),
    ...bindings.map(({ source, queue, key }) => ['binding', `${source} -> ${queue}`, `key=${key}`]),
  ];
  return tableOf(
    ['KIND', 'NAME', 'DETAILS'],
    rows.map((row) => row.map(printable)),
  );
}

/**
 * As RabbitMQ exports and imports them: `rabbitmqctl import_definitions`, the management UI, `POST /api/definitions`.
 * @param vhost without one it can be imported into any virtual host: `POST /api/definitions/<vhost>`.
 */
export function rabbitDefinitions({ exchanges, queues, bindings }: Definitions, vhost?: string): object {
  const where = vhost === undefined ? {} : { vhost };
  const lasting = { durable: true, auto_delete: false };
  return {
    exchanges: exchanges.map(({ name, type, alternateExchange }) => ({
      name,
      ...where,
      type,
      ...lasting,
      internal: false,
      arguments: alternateExchange === undefined ? {} : { 'alternate-exchange': alternateExchange },
    })),
    queues: queues.map((queue) => ({ name: queue.name, ...where, ...lasting, arguments: queue.arguments })),
    bindings: bindings.map(({ source, queue, key }) => ({
      source,
      ...where,
      destination: queue,
      destination_type: 'queue',
      routing_key: key,
      arguments: {},
    })),
  };
}
