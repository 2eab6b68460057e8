import { BrokerError } from '../errors';
import { Readiness } from './readiness';

const blocked = new BrokerError('BROKER_BLOCKED', 'The broker takes no messages now.');
const shuttingDown = { name: 'process', problem: { code: 'SHUTTING_DOWN', message: 'Shutting down.' } };

let readiness: Readiness;

beforeEach(() => {
  readiness = new Readiness();
});

describe('Readiness', () => {
  it('has nothing to say where nothing is watched', () => {
    expect(readiness.check()).toEqual([]);
  });

  it('tells of everything that is watched, each by its name, with the code and the reason', () => {
    readiness.watch('client', { problem: undefined });
    readiness.watch('worker', { problem: blocked });
    expect(readiness.check()).toEqual([
      { name: 'client' },
      { name: 'worker', problem: { code: 'BROKER_BLOCKED', message: 'The broker takes no messages now.' } },
    ]);
  });

  it('asks again each time', () => {
    const watched: { problem: BrokerError | undefined } = { problem: blocked };
    readiness.watch('client', watched);
    expect(readiness.check()).toMatchObject([{ name: 'client', problem: { code: 'BROKER_BLOCKED' } }]);
    watched.problem = undefined;
    expect(readiness.check()).toEqual([{ name: 'client' }]);
  });

  it('tells no more than the code and the message: a cause may hold what nobody should see', () => {
    const cause = new Error('amqp://user:hunter2@host');
    readiness.watch('client', { problem: new BrokerError('BROKER_UNREACHABLE', 'Away.', { cause }) });
    expect(JSON.stringify(readiness.check())).not.toContain('hunter2');
  });

  it('watches nothing twice, and says nothing of what is not in use', () => {
    const readiness = new Readiness();
    const broken = { problem: { code: 'BROKER_UNREACHABLE', message: 'away' } };
    let isInUse = false;
    readiness.watch('mine', broken);
    readiness.watchUnlessKnown('worker reports', broken);
    readiness.watchUnlessKnown('client reports', { ...broken }, () => isInUse);
    expect(readiness.check().map(({ name }) => name)).toEqual(['mine']);
    isInUse = true;
    expect(readiness.check().map(({ name }) => name)).toEqual(['mine', 'client reports']);
  });

  it('is never ready once shutdown has begun, though everything still works', () => {
    readiness.watch('client', { problem: undefined });
    expect(readiness.isShuttingDown).toBe(false);
    readiness.shutDown();
    expect(readiness.isShuttingDown).toBe(true);
    expect(readiness.check()).toEqual([{ name: 'client' }, shuttingDown]);
    readiness.onModuleDestroy();
    expect(readiness.check()).toEqual([{ name: 'client' }, shuttingDown]);
  });
});
