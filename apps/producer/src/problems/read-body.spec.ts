import { EventRequest } from '../events/event.request';
import { ProblemException } from './problem';
import { checkBody, refuse } from './read-body';

describe('checkBody', () => {
  it.each([['info'], ['critical']])('finds nothing wrong with an event of level %s', (level) => {
    expect(checkBody(EventRequest, { level, data: { disk: 'full', at: ['/', { inode: 1 }] } })).toEqual([]);
  });

  it.each([
    ['a level that does not exist', { level: 'debug', data: {} }, ['/level']],
    ['a level that is no text', { level: ['info'], data: {} }, ['/level']],
    ['data that is a list', { level: 'info', data: [] }, ['/data']],
    ['data that is a text', { level: 'info', data: '{}' }, ['/data']],
    ['everything', { levle: 'info' }, ['/levle', '/level', '/data']],
  ])('points to %s', (_what, body, pointers) => {
    expect(checkBody(EventRequest, body).map(({ pointer }) => pointer)).toEqual(pointers);
  });

  it('names the levels that there are', () => {
    expect(checkBody(EventRequest, { level: 'debug', data: {} })).toEqual([
      { pointer: '/level', detail: 'level must be one of: info, critical' },
    ]);
  });

  it('names an unknown field, below the place that it is told', () => {
    expect(checkBody(EventRequest, { level: 'info', data: {}, 'a/b~c': 1 }, '/payload')).toEqual([
      { pointer: '/payload/a~1b~0c', detail: 'unknown field "a/b~c"' },
    ]);
  });

  it.each([[null], [undefined], [[]], ['text'], [7], [true]])('takes %j for no JSON object', (body) => {
    expect(checkBody(EventRequest, body)).toEqual([{ pointer: '', detail: 'must be a JSON object' }]);
    expect(checkBody(EventRequest, body, '/data')).toEqual([{ pointer: '/data', detail: 'must be a JSON object' }]);
  });

  it('does not change the body', () => {
    const body = { level: 'info', data: { nested: { list: [1, 2] } } };
    const before = structuredClone(body);
    checkBody(EventRequest, body);
    expect(body).toEqual(before);
  });
});

describe('refuse', () => {
  const wrong = (count: number) =>
    Array.from({ length: count }, (_nothing, at) => ({ pointer: `/${at}`, detail: 'wrong' }));

  it('lets pass what has no errors', () => {
    expect(() => refuse([])).not.toThrow();
  });

  it.each([
    [1, 'The request has 1 invalid field.'],
    [3, 'The request has 3 invalid fields.'],
  ])('answers 422 with all of %i errors', (count, detail) => {
    let thrown: unknown;
    try {
      refuse(wrong(count));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ProblemException);
    expect((thrown as ProblemException).problem).toMatchObject({ status: 422, detail, errors: wrong(count) });
    expect((thrown as ProblemException).getStatus()).toBe(422);
  });
});
