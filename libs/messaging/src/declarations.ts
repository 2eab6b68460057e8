import type { Connection } from './connection';
import type { BrokerError } from './errors';

/** What is being declared now, by broker and names; each is gone once it is done. */
const underWay = new Map<string, Promise<readonly BrokerError[]>>();

/**
 * Declares once for all of this process that ask at the same time, whichever connection they have: worker and client of a new queue start
 * together. Two declarations of one quorum queue at once made RabbitMQ 3.10 close the connection (541) of who consumed first.
 * @param names what is declared, in words that are the same for the same.
 * @param declare resolves to the mismatches that it found.
 * @returns those mismatches, to each who asked.
 */
export function declareOnce(
  connection: Connection,
  names: readonly (string | number)[],
  declare: () => Promise<readonly BrokerError[]>,
): Promise<readonly BrokerError[]> {
  const key = JSON.stringify([connection.broker, ...names]);
  let declared = underWay.get(key);
  if (!declared) {
    declared = declare().finally(() => underWay.delete(key));
    underWay.set(key, declared);
  }
  return declared;
}
