import { BrokerError } from '../errors';

const LOOK_EVERY_MS = 1_000;
const MOST_LOOKS = 10;

/**
 * Tells when the broker has not let a worker consume for 10 s; it may still do. Only told: asking again on another channel would wait for
 * the same, and the broker ends what it cannot answer. Counted in looks, not by the clock: a process whose event loop stood still has
 * heard nothing, whatever the broker has answered. Returns the timer, for `clearInterval`.
 */
export function watchSetup(queueName: string, tell: (problem: BrokerError) => void): NodeJS.Timeout {
  let looks = 0;
  return setInterval(() => {
    looks += 1;
    if (looks !== MOST_LOOKS) return;
    const message =
      `The broker has not let this worker consume for ${(MOST_LOOKS * LOOK_EVERY_MS) / 1_000} s; still waiting. ` +
      `Has queue "${queueName}" a leader? See rabbitmq-queues quorum_status ${queueName}.`;
    tell(new BrokerError('BROKER_BLOCKED', message));
  }, LOOK_EVERY_MS).unref();
}
