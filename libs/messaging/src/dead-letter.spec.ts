import { deadLetterHeaders } from './dead-letter';

describe('deadLetterHeaders', () => {
  it('say why, after how many attempts, from where and when', () => {
    expect(deadLetterHeaders({ code: 'GONE', message: 'Gone.' }, 3, 'reports', 1_000, 2_000)).toEqual({
      'x-attempt': 3,
      'x-error-code': 'GONE',
      'x-error-message': 'Gone.',
      'x-origin-queue': 'reports',
      'x-first-failed-at-ms': 1_000,
      'x-last-failed-at-ms': 2_000,
      'x-dead-at-ms': 2_000,
    });
  });
});
