export type QueueArguments = Readonly<Record<string, string | number | boolean>>;

/** A durable exchange. */
export interface ExchangeDefinition {
  readonly name: string;
  readonly type: 'direct' | 'fanout' | 'topic' | 'headers';
  readonly alternateExchange?: string;
}

/** A durable queue. */
export interface QueueDefinition {
  readonly name: string;
  readonly arguments: QueueArguments;
  /** The arguments without which tasks would be lost in it. */
  readonly needed: readonly string[];
}

export interface BindingDefinition {
  readonly source: string;
  readonly queue: string;
  readonly key: string;
}

export interface Definitions {
  readonly exchanges: readonly ExchangeDefinition[];
  readonly queues: readonly QueueDefinition[];
  readonly bindings: readonly BindingDefinition[];
}

/** What is declared together. */
export interface Group extends Definitions {
  readonly name: string;
  /** The options of the command that declares it. */
  readonly mending: readonly string[];
}
