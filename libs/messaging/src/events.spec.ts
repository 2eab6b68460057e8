import type { ClientEvents } from './broker/events';
import { BrokerError } from './errors';
import { Events } from './events';

const problem = new BrokerError('BROKER_BLOCKED', 'The broker takes no messages now.');

describe('Events', () => {
  let warned: jest.SpiedFunction<typeof process.emitWarning>;

  beforeEach(() => {
    warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  });
  afterEach(() => warned.mockRestore());

  it('gives each listener the arguments, in the order of listening', () => {
    const seen: unknown[] = [];
    const events = new Events<ClientEvents>()
      .on('published', (outcome, durationMs) => seen.push(['first', outcome, durationMs]))
      .on('published', (outcome) => seen.push(['second', outcome]));
    events.emit('published', 'confirmed', 7);
    expect(seen).toEqual([
      ['first', 'confirmed', 7],
      ['second', 'confirmed'],
    ]);
  });

  it('forgets a listener that was taken off, and one that listened once', () => {
    const off = jest.fn();
    const once = jest.fn();
    const events = new Events<ClientEvents>().on('ready', off).once('ready', once).off('ready', off);
    events.emit('ready');
    events.emit('ready');
    expect(off).not.toHaveBeenCalled();
    expect(once).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['an error', new Error('mine')],
    ['something else', 'mine'],
  ])('turns what a listener throws, %s, into a warning', (_what, thrown) => {
    const events = new Events<ClientEvents>().on('ready', () => {
      throw thrown as Error;
    });
    expect(() => events.emit('ready')).not.toThrow();
    expect(warned).toHaveBeenCalledWith(thrown);
  });

  it('warns of a problem that nobody listens to', () => {
    new Events<ClientEvents>().emit('problem', problem);
    expect(warned).toHaveBeenCalledWith(problem.message, { type: 'MercuryWarning', code: 'BROKER_BLOCKED' });
  });

  it('warns without what a terminal would obey', () => {
    new Events<ClientEvents>().emit('problem', new BrokerError('BROKER_BLOCKED', 'key "\u009b2J\u202e" of others'));
    expect(warned).toHaveBeenCalledWith('key " 2J " of others', expect.anything());
  });

  it('does not warn of a problem that somebody listens to', () => {
    const heard = jest.fn();
    new Events<ClientEvents>().on('problem', heard).emit('problem', problem);
    expect(heard).toHaveBeenCalledWith(problem);
    expect(warned).not.toHaveBeenCalled();
  });
});
