import type { Connection } from '../broker/connection';
import { useConnections } from '../broker/connections';
import { differencesOf, type Difference } from '../broker/differences';
import { establish } from '../broker/establish';
import { resolveBroker, type BrokerOptions } from '../broker/options';
import type { BrokerError } from '../errors';
import { controllerForMany } from '../signals';
import { groupsOf, topologyOf, type TopologyOptions } from './topology-options';

/**
 * Declares what these queues and buses need, as programs with `topology: 'declare'` do, delay levels included. What is there stays as it is.
 * @returns the queues that are there with other arguments, and can be used all the same.
 * @throws BrokerError `BROKER_TOPOLOGY_MISMATCH` for what cannot be used, `BROKER_UNREACHABLE`, `BROKER_ACCESS_REFUSED`.
 * @throws ConfigError `CONFIG_INVALID`.
 */
export function applyTopology(broker: BrokerOptions, topology: TopologyOptions): Promise<BrokerError[]> {
  const groups = groupsOf(topology);
  return withConnection(broker, (connection) => establish(connection, groups, 'declare'));
}

/**
 * What of it is missing on the broker, or is there with other arguments, in the broker's own words. Declares nothing, but how something differs
 * is told only to a user who may declare it. Bindings are not compared: no method of the protocol tells them.
 * @throws BrokerError `BROKER_UNREACHABLE`, `BROKER_ACCESS_REFUSED`. @throws ConfigError `CONFIG_INVALID`.
 */
export function topologyDifferences(broker: BrokerOptions, topology: TopologyOptions): Promise<Difference[]> {
  const definitions = topologyOf(topology);
  return withConnection(broker, (connection) => differencesOf(connection, definitions));
}

/** Fails when the broker is not reached at the first try: somebody waits for the answer. */
async function withConnection<Result>(
  broker: BrokerOptions,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const use = useConnections(resolveBroker(broker), 'topology', () => undefined);
  const connection = use.connections.publishing;
  const failed = controllerForMany();
  const onFailed = (problem: BrokerError) => failed.abort(problem);
  connection.events.on('failed', onFailed);
  try {
    await connection.untilConnected(failed.signal);
    return await work(connection);
  } finally {
    connection.events.off('failed', onFailed);
    await use.close();
  }
}
