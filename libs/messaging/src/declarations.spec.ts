import type { Connection } from './connection';
import { declareOnce } from './declarations';
import { BrokerError } from './errors';

const to = (broker: string) => ({ broker }) as Connection;

it('what several ask for at the same time is declared once, and each is told what was found', async () => {
  const found = [new BrokerError('BROKER_TOPOLOGY_MISMATCH', 'other arguments')];
  const declare = jest.fn(async () => found);
  const asked = [1, 2, 3].map(() => declareOnce(to('a'), ['reports', 1_000], declare));
  expect(await Promise.all(asked)).toEqual([found, found, found]);
  expect(declare).toHaveBeenCalledTimes(1);
});

it('it is declared again for who asks later, also when it failed', async () => {
  const declare = jest.fn(async () => {
    throw new Error('lost');
  });
  await expect(declareOnce(to('a'), ['reports'], declare)).rejects.toThrow('lost');
  await expect(declareOnce(to('a'), ['reports'], declare)).rejects.toThrow('lost');
  expect(declare).toHaveBeenCalledTimes(2);
});

it('another broker, another queue and other levels are declared by themselves', async () => {
  const declare = jest.fn(async () => []);
  const asked = [
    declareOnce(to('a'), ['reports', 1_000], declare),
    declareOnce(to('b'), ['reports', 1_000], declare),
    declareOnce(to('a'), ['mails', 1_000], declare),
    declareOnce(to('a'), ['reports', 2_000], declare),
  ];
  await Promise.all(asked);
  expect(declare).toHaveBeenCalledTimes(4);
});
