import type { BrokerError } from '../errors';
import { within } from '../timing';

/** A declaration on a connection that is blocked or about to be lost must not hold up those on others. */
const PATIENCE_MS = 5_000;

interface Declaration {
  readonly args: string;
  readonly mismatches: Promise<BrokerError[]>;
}

/** What is being declared now, by broker and name; each is gone once it is done. */
const underWay = new Map<string, Declaration>();

/**
 * Declares something once for all of this process that ask at the same time, whichever connection they have, and one after another where
 * they want it with other arguments: worker, client and scheduler of a new queue start together. RabbitMQ 3.10 answers two
 * declarations of one new quorum queue at once with broken ones: it closes the connection of who consumes first (541), or refuses what is published
 * as if the queue were full. Who shared a declaration that failed, or is not answered within 5 s, makes its own.
 * @param broker which one, in words that are the same for the same.
 * @param what a queue, or a group of things.
 * @param declare resolves to the differences that it found and can live with.
 * @returns those differences, to each who asked.
 */
export async function declareOnce(
  broker: string,
  what: string,
  args: Readonly<Record<string, unknown>>,
  declare: () => Promise<BrokerError[]>,
): Promise<BrokerError[]> {
  const key = JSON.stringify([broker, what]);
  const wanted = JSON.stringify(args);
  for (let other = underWay.get(key); other; other = underWay.get(key)) {
    let shared: BrokerError[] | undefined;
    const answered = other.mismatches.then((mismatches) => (shared = mismatches));
    await within(PATIENCE_MS, answered);
    if (shared && other.args === wanted) return shared;
    if (underWay.get(key) === other) break;
  }
  const own: Declaration = {
    args: wanted,
    mismatches: declare().finally(() => {
      if (underWay.get(key) === own) underWay.delete(key);
    }),
  };
  underWay.set(key, own);
  return own.mismatches;
}
