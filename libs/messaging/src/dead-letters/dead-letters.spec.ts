import { FakeLink } from '../../../../test/support/fake-link';
import { Connection } from '../broker/connection';
import { DeadLetters } from './dead-letters';

/** A connection that never comes: what is refused here is refused before anything is asked of the broker. */
const never = new Connection(new FakeLink());
const reading = (publishTimeoutMs = 5) =>
  new DeadLetters({ queueName: 'reports', publishTimeoutMs, connections: { publishing: never, consuming: never } });
const code = (wanted: string) => expect.objectContaining({ code: wanted }) as Error;

it.each([0, 1_001, 1.5, NaN])('refuses a page of %d', async (limit) => {
  await expect(reading().list({}, { limit })).rejects.toEqual(code('DEAD_LETTERS_INVALID'));
});

it.each([0, -5, NaN, 1_001, Infinity])('refuses a replay at %d per second', async (ratePerSecond) => {
  await expect(reading().replay({}, { ratePerSecond }).next()).rejects.toEqual(code('DEAD_LETTERS_INVALID'));
});

it('refuses to discard by nothing', async () => {
  await expect(reading().discard({})).rejects.toEqual(code('DEAD_LETTERS_INVALID'));
});

it('gives up when the broker does not come in time', async () => {
  await expect(reading().list()).rejects.toEqual(code('BROKER_UNREACHABLE'));
});

it('ends what waits when it is stopped, and begins nothing after it', async () => {
  const letters = reading(60_000);
  const replay = letters.replay({}).next();
  await letters.stop();
  await expect(replay).rejects.toEqual(code('STOPPED'));
  await expect(letters.list()).rejects.toEqual(code('STOPPED'));
});

it('tells every wrong option', () => {
  expect(() => new DeadLetters({ rabbitUrl: 'http://localhost', queueName: '', publishTimeoutMs: 0 })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', problems: expect.arrayContaining([]) as string[] }) as Error,
  );
});
