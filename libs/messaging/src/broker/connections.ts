import { systemClock, type Clock } from '../clock';
import { BrokerError, isHopeless } from '../errors';
import { LinkedSignal, controllerForMany } from '../signals';
import { Connection, type Connections } from './connection';
import { OfThisCopy } from './copy';
import type { ResolvedBroker } from './options';

/** A pair of connections, each opened when first used. */
export abstract class ConnectionPair extends OfThisCopy implements Connections {
  private readonly opened: { publishing?: Connection; consuming?: Connection } = {};

  protected abstract open(purpose: 'publishing' | 'consuming'): Connection;

  get publishing(): Connection {
    this.opened.publishing ??= this.open('publishing');
    return this.opened.publishing;
  }

  get consuming(): Connection {
    this.opened.consuming ??= this.open('consuming');
    return this.opened.consuming;
  }

  async close(): Promise<void> {
    await Promise.all([this.opened.publishing?.close(), this.opened.consuming?.close()]);
  }
}

class OwnConnections extends ConnectionPair {
  constructor(
    private readonly target: ResolvedBroker,
    private readonly owner: string,
    private readonly onProblem: (problem: BrokerError) => void,
  ) {
    super();
  }

  protected override open(purpose: string): Connection {
    const connection = Connection.open(this.target, `${this.owner} ${purpose}`);
    reportProblems(connection, this.onProblem);
    return connection;
  }
}

export interface BrokerUse {
  connections: Connections;
  clock: Clock;
  /** Closes only what was opened for this use. */
  close(): Promise<void>;
}

/** The given connections, or a pair of one's own. */
export function useConnections(
  broker: ResolvedBroker,
  owner: string,
  onProblem: (problem: BrokerError) => void,
): BrokerUse {
  const { connections } = broker;
  if (connections) return { connections, clock: connections.clock ?? systemClock, close: async () => undefined };
  const own = new OwnConnections(broker, owner, onProblem);
  return { connections: own, clock: systemClock, close: () => own.close() };
}

/** Tells each problem of a connection once, not at every attempt to reconnect. Returns what ends that. */
export function reportProblems(connection: Connection, onProblem: (problem: BrokerError) => void): () => void {
  let lastMessage: string | undefined;
  const tell = (problem: BrokerError) => {
    if (problem.message === lastMessage) return;
    lastMessage = problem.message;
    onProblem(problem);
  };
  const forget = () => (lastMessage = undefined);
  const { events } = connection;
  events.on('failed', tell).on('down', tell).on('blocked', tell).on('up', forget);
  return () => void events.off('failed', tell).off('down', tell).off('blocked', tell).off('up', forget);
}

/**
 * Resolves once it is connected. For what somebody waits for.
 * @param leaving ends it, with its reason.
 * @throws BrokerError when that is hopeless, or takes longer than `timeoutMs`.
 */
export async function connectedInTime(connection: Connection, timeoutMs: number, leaving: AbortSignal): Promise<void> {
  leaving.throwIfAborted();
  const hopeless = controllerForMany();
  const onFailed = (problem: BrokerError) => isHopeless(problem) && hopeless.abort(problem);
  connection.events.on('failed', onFailed);
  const reason = new BrokerError('BROKER_UNREACHABLE', 'The broker was not reached in time.');
  const ended = new LinkedSignal([hopeless.signal, leaving], { timeoutMs, reason });
  try {
    await connection.untilConnected(ended.signal);
  } catch (cause) {
    leaving.throwIfAborted();
    throw connection.problem ?? cause;
  } finally {
    ended.release();
    connection.events.off('failed', onFailed);
  }
}
