import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { TASK_PAYLOADS, type TaskType } from '.';

/** The names of the fields that are wrong. */
const wrongFields = (type: TaskType, payload: object) =>
  validateSync(plainToInstance<object, object>(TASK_PAYLOADS[type], payload)).map(({ property }) => property);

describe('the task types', () => {
  it('are those that other programs put by name', () => {
    expect(Object.keys(TASK_PAYLOADS)).toEqual(['webhook.deliver', 'sleep']);
  });
});

describe('webhook.deliver', () => {
  const payload = { url: 'https://example.com/hooks?shop=1', event: 'order.paid', data: { orderId: 4711 } };

  it.each([
    ['http', { url: 'http://example.com' }],
    ['https with port and query', { url: 'https://example.com:8443/a?b=c#d' }],
    ['an address that may turn out to be private: that is decided when it is dialled', { url: 'http://10.0.0.1/' }],
    ['IPv6', { url: 'http://[2606:4700::1111]/' }],
    ['the longest URL', { url: `https://example.com/${'a'.repeat(2_048 - 20)}` }],
    ['the longest event', { event: 'e'.repeat(255) }],
    ['no data', { data: {} }],
  ])('takes %s', (_what, change) => {
    expect(wrongFields('webhook.deliver', { ...payload, ...change })).toEqual([]);
  });

  it.each([
    ['ftp', { url: 'ftp://example.com/' }, 'url'],
    ['a file', { url: 'file:///etc/passwd' }, 'url'],
    ['a script', { url: 'javascript:alert(1)' }, 'url'],
    ['an address without scheme', { url: 'example.com/hook' }, 'url'],
    ['an address without host', { url: 'http://' }, 'url'],
    ['a user', { url: 'https://user@example.com/' }, 'url'],
    ['a password', { url: 'https://:password@example.com/' }, 'url'],
    ['a URL that is too long', { url: `https://example.com/${'a'.repeat(2_048)}` }, 'url'],
    ['a list of URLs', { url: ['https://example.com/'] }, 'url'],
    ['no URL', { url: undefined }, 'url'],
    ['an empty event', { event: '' }, 'event'],
    ['an event that is too long', { event: 'e'.repeat(256) }, 'event'],
    ['an event that is no text', { event: 7 }, 'event'],
    ['data that is a list', { data: [] }, 'data'],
    ['data that is a text', { data: '{}' }, 'data'],
    ['data that is null', { data: null }, 'data'],
  ])('refuses %s', (_what, change, field) => {
    expect(wrongFields('webhook.deliver', { ...payload, ...change })).toEqual([field]);
  });
});

describe('sleep', () => {
  it.each([[0], [1], [600_000]])('takes %i ms', (ms) => {
    expect(wrongFields('sleep', { ms })).toEqual([]);
  });

  it.each([[-1], [600_001], [1.5], ['1'], [null], [undefined], [NaN]])('refuses %s', (ms) => {
    expect(wrongFields('sleep', { ms })).toEqual(['ms']);
  });
});
