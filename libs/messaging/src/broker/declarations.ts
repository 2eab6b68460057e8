import type { BrokerError } from '../errors';
import { within } from '../timing';

/** A declaration on a connection that is blocked or about to be lost must not hold up those on others. */
const PATIENCE_MS = 5_000;

interface Declaration {
  readonly args: string;
  readonly mismatch: Promise<BrokerError | undefined>;
}

/** What is being declared now, by broker and queue; each is gone once it is done. */
const underWay = new Map<string, Declaration>();

/**
 * Declares a queue once for all of this process that ask at the same time, whichever connection they have, and one after another where
 * they want it with other arguments: worker, client and scheduler of a new queue start together. RabbitMQ 3.10 answers two
 * declarations of one new quorum queue at once with broken ones: it closes the connection of who consumes first (541), or refuses what is published
 * as if the queue were full. Who shared a declaration that failed, or is not answered within 5 s, makes its own.
 * @param broker which one, in words that are the same for the same.
 * @param declare resolves to the difference that it found and can live with.
 * @returns that difference, to each who asked.
 */
export async function declareOnce(
  broker: string,
  queue: string,
  args: Readonly<Record<string, unknown>>,
  declare: () => Promise<BrokerError | undefined>,
): Promise<BrokerError | undefined> {
  const key = JSON.stringify([broker, queue]);
  const wanted = JSON.stringify(args);
  for (let other = underWay.get(key); other; other = underWay.get(key)) {
    let shared: { mismatch: BrokerError | undefined } | undefined;
    const answered = other.mismatch.then((mismatch) => (shared = { mismatch }));
    await within(PATIENCE_MS, answered);
    if (shared && other.args === wanted) return shared.mismatch;
    if (underWay.get(key) === other) break;
  }
  const own: Declaration = {
    args: wanted,
    mismatch: declare().finally(() => {
      if (underWay.get(key) === own) underWay.delete(key);
    }),
  };
  underWay.set(key, own);
  return own.mismatch;
}
