import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { Connection } from '../broker/connection';
import { GolevelupLink, type ManagedConnection } from './golevelup-link';

class FakeManager extends EventEmitter {
  connection: ChannelModel | undefined;
  reconnectTimeInSeconds = 5;
  readonly close = jest.fn(async () => undefined);

  connect(inside: object): void {
    this.connection = { connection: inside, createConfirmChannel: async () => new EventEmitter() } as never;
    this.emit('connect', {});
  }
}

let manager: FakeManager;
let connection: Connection;

beforeEach(() => {
  manager = new FakeManager();
  connection = new Connection(new GolevelupLink(manager));
});

it('is up and down, blocked and free again with the connection of golevelup', () => {
  const told: string[] = [];
  for (const name of ['up', 'down', 'failed', 'blocked', 'unblocked'] as const)
    connection.events.on(name, () => told.push(name));
  manager.emit('connectFailed', { err: new Error('away') });
  manager.connect({ maxFrameSize: 1 });
  expect(connection).toMatchObject({ connected: true, problem: undefined });
  manager.emit('blocked', { reason: 'low on memory' });
  expect(connection.problem?.message).toContain('low on memory');
  manager.emit('unblocked');
  manager.connection = undefined;
  manager.emit('disconnect', { err: new Error('reset') });
  expect(connection).toMatchObject({ connected: false, problem: { code: 'BROKER_UNREACHABLE' } });
  expect(told).toEqual(['failed', 'up', 'blocked', 'unblocked', 'down']);
});

it('refuses an amqplib that is too old, and says what to do', async () => {
  manager.connect({});
  expect(connection).toMatchObject({ connected: false, problem: { code: 'AMQPLIB_TOO_OLD' } });
  expect(connection.problem?.message).toMatch(/npm install amqplib@~2\.3\.1.*overrides: \{ amqplib: "~2\.3\.1" \}/);
  await expect(connection.openChannel()).rejects.toBe(connection.problem);
});

it('refuses it also where golevelup had connected before anybody listened', async () => {
  manager.connect({});
  const late = new Connection(new GolevelupLink(manager));
  const failed: string[] = [];
  late.events.on('failed', ({ code }) => failed.push(code));
  void late.untilConnected(new AbortController().signal);
  expect(failed).toEqual(['AMQPLIB_TOO_OLD']);
  expect(late.problem?.code).toBe('AMQPLIB_TOO_OLD');
});

it('takes a connection that is there already', () => {
  manager.connect({ maxFrameSize: 1 });
  expect(new Connection(new GolevelupLink(manager as ManagedConnection)).problem).toBeUndefined();
});

it('leaves the connection of an application open', async () => {
  const stream = Object.assign(new EventEmitter(), { destroy: jest.fn(), write: jest.fn(), bytesRead: 0 });
  manager.connect({ maxFrameSize: 1, stream });
  await connection.close();
  expect(manager.close).not.toHaveBeenCalled();
  expect(stream.destroy).not.toHaveBeenCalled();
});
