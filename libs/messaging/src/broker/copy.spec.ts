import { MemoryBroker } from '../testing';
import { isOfAnotherCopy } from './copy';
import { resolveBroker } from './options';

/** What a second version in the same tree has made. */
function ofAnotherCopy(): MemoryBroker {
  let broker: MemoryBroker | undefined;
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a copy of its own is what is asked for.
    const { MemoryBroker: Other } = require('../testing') as { MemoryBroker: typeof MemoryBroker };
    broker = new Other();
  });
  return broker!;
}

it('connections of this copy of the package are taken, and not opened by the look at them', () => {
  const connections = new MemoryBroker().connect();
  expect(isOfAnotherCopy(connections)).toBe(false);
  expect(resolveBroker({ connections }).connections).toBe(connections);
});

it('those of another copy are refused, with what shows it', () => {
  const connections = ofAnotherCopy().connect();
  expect(isOfAnotherCopy(connections)).toBe(true);
  const { publishing, consuming } = connections;
  for (const given of [connections, { publishing, consuming }]) {
    expect(() => resolveBroker({ connections: given })).toThrow('npm ls @mercury/messaging');
  }
});

it('those that somebody has put together are taken', () => {
  const { publishing, consuming } = new MemoryBroker().connect();
  expect(isOfAnotherCopy({ publishing, consuming })).toBe(false);
});
