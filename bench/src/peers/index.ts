import type { Peer } from './peer';

interface Entry {
  title: string;
  /** How it puts a task, where that is less than confirmed, mandatory and persistent on a quorum queue. */
  sends: string;
  /** How it executes one. */
  handles: string;
  load: () => Promise<{ peer: Peer }>;
}

/** By the names of `--peers`. Loaded in the process that measures it, and only there. */
export const PEERS = {
  mercury: {
    title: 'Mercury',
    sends: 'confirmed, mandatory',
    handles: 'parses, bounds time, records outcomes',
    load: () => import('./mercury.js'),
  },
  amqplib: {
    title: 'amqplib',
    sends: 'confirmed, mandatory; no id, no limits',
    handles: 'naive: `consume`, `ack`; body not parsed',
    load: () => import('./amqplib.js'),
  },
  'amqplib-tasks': {
    title: 'amqplib, the same messages',
    sends: "confirmed, mandatory; Mercury's properties; no limits",
    handles: 'naive, but the body is parsed',
    load: () => import('./amqplib-tasks.js'),
  },
  golevelup: {
    title: 'golevelup AmqpConnection',
    sends: 'confirmed, mandatory; Nagle on',
    handles: 'parses; Nagle on',
    load: () => import('./golevelup.js'),
  },
  'amqp-connection-manager': {
    title: 'amqp-connection-manager',
    sends: 'confirmed, mandatory; Nagle on',
    handles: 'body not parsed; Nagle on',
    load: () => import('./amqp-connection-manager.js'),
  },
  'rabbitmq-client': {
    title: 'rabbitmq-client',
    sends: 'confirmed, mandatory; Nagle on',
    handles: 'parses; Nagle on',
    load: () => import('./rabbitmq-client.js'),
  },
  'nest-rmq': {
    title: 'Nest RMQ transport',
    sends: 'confirmed, **not mandatory**; Nagle on',
    handles: 'parses; pipes and guards; Nagle on',
    load: () => import('./nest-rmq.js'),
  },
  'mercury-nest': {
    title: 'Mercury in Nest',
    sends: 'confirmed, mandatory',
    handles: 'as Mercury; validates a DTO; pipes and guards',
    load: () => import('./mercury-nest.js'),
  },
  bullmq: {
    title: 'BullMQ on Redis',
    sends: '**fsync every second: up to 1 s can be lost**',
    handles: 'parses; **fsync every second**',
    load: () => import('./bullmq.js'),
  },
} as const satisfies Record<string, Entry>;

export type PeerName = keyof typeof PEERS;

export const PEER_NAMES = Object.keys(PEERS) as PeerName[];
