import { maskedAnswer, receiverName } from './receiver-name';

const chat = new URL('https://hooks.chat.example/services/T024BE7LD/B1H9REKXG/x8Qm2vLpR4?token=hush-hush');

describe('the name of a receiver', () => {
  it('is its origin and a short hash: its path may be a password', () => {
    expect(receiverName(chat, false)).toMatch(/^https:\/\/hooks\.chat\.example \(path [\da-f]{8}\)$/);
    expect(receiverName(new URL('https://shop.example/'), false)).toBe('https://shop.example');
  });

  it('is the same for the same address, and another for another path or query', () => {
    const other = new URL(chat);
    other.searchParams.set('token', 'another');
    expect(receiverName(new URL(chat), false)).toBe(receiverName(chat, false));
    expect(receiverName(other, false)).not.toBe(receiverName(chat, false));
  });

  it('has its path where that is configured, and never its query', () => {
    expect(receiverName(chat, true)).toBe('https://hooks.chat.example/services/T024BE7LD/B1H9REKXG/x8Qm2vLpR4');
  });
});

describe('the answer of a receiver', () => {
  it.each([
    [`Cannot POST ${chat.pathname}`, 'Cannot POST ***'],
    [`no service "x8Qm2vLpR4" in T024BE7LD`, 'no service "***" in ***'],
    ['token hush-hush is revoked', 'token *** is revoked'],
    ['invalid_token', 'invalid_token'],
  ])('does not repeat what it was asked: %s', (text, masked) => {
    expect(maskedAnswer(text, chat, false)).toBe(masked);
  });

  it('keeps the path where that is configured, but not the query', () => {
    const text = `Cannot POST ${chat.pathname}${chat.search}`;
    expect(maskedAnswer(text, chat, true)).toBe(`Cannot POST ${chat.pathname}***`);
  });

  it('is masked also where it is written in other letters', () => {
    const spaced = new URL('https://shop.example/my%20secret%20path');
    expect(maskedAnswer('nothing at /my secret path', spaced, false)).toBe('nothing at ***');
  });
});
