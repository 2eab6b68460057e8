import type { Queue } from './queue';

/** What the subscribers of event buses have: a new name at each subscription. */
const SERVER_NAMED = /^amq\.gen-/;

/**
 * Who consumed when its connection was cut, and does not yet again: a program waits a moment before it does, and until then
 * nothing is over. A consumer counts as back when the same connection has one on the same queue, or on one of its own.
 */
export class LostConsumers {
  private lost: { connection: object; name: string }[] = [];

  /** From where nobody consumes again. */
  get queueNames(): string[] {
    return this.lost.map(({ name }) => name);
  }

  add(connection: object, queue: Queue): void {
    const name = nameOf(queue);
    if (name !== undefined) this.lost.push({ connection, name });
  }

  found(connection: object, queue: Queue): void {
    const name = nameOf(queue);
    const index = this.lost.findIndex((each) => each.connection === connection && each.name === name);
    if (index >= 0) this.lost.splice(index, 1);
  }

  forget(connection: object): void {
    this.lost = this.lost.filter((each) => each.connection !== connection);
  }

  clear(): void {
    this.lost = [];
  }
}

/** Undefined for one that is taken for oneself by its name, such as to be the only reader: that ends with its connection. */
function nameOf({ name, options }: Queue): string | undefined {
  if (options.owner === undefined) return name;
  return SERVER_NAMED.test(name) ? 'a subscription' : undefined;
}
