import { bytesToRead, maskedAnswer, receiverName, secretsOf } from './receiver-name';

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
  const masked = (text: string, url = chat, showPath = false) => maskedAnswer(text, secretsOf([url], showPath));

  it.each([
    [`Cannot POST ${chat.pathname}`, 'Cannot POST ***'],
    [`no service "x8Qm2vLpR4" in T024BE7LD`, 'no service "***" in ***'],
    ['no service x8qm2vlpr4', 'no service ***'],
    ['{"path":"\\/T024BE7LD\\/x8Qm2vLpR4"}', '{"path":"\\/***\\/***"}'],
    ['token hush-hush is revoked', 'token *** is revoked'],
    ['invalid_token', 'invalid_token'],
  ])('does not repeat what it was asked: %s', (text, expected) => {
    expect(masked(text)).toBe(expected);
  });

  it('keeps the path where that is configured, but not the query', () => {
    const text = `Cannot POST ${chat.pathname}${chat.search}`;
    expect(masked(text, chat, true)).toBe(`Cannot POST ${chat.pathname}***`);
  });

  it('is masked also where it is written in other letters', () => {
    const spaced = new URL('https://shop.example/my%20secret%20path');
    expect(masked('nothing at /my secret path', spaced)).toBe('nothing at ***');
  });

  it.each([
    ['a query without a value', 'https://shop.example/?hushhush', 'who is hushhush?', 'who is ***?'],
    ['a short value of a query', 'https://shop.example/?key=a1b2', 'no key a1b2', 'no key ***'],
    ['what regular expressions know', 'https://shop.example/?key=(a+)+$.*', '(a+)+$.* aaaa', '*** aaaa'],
  ])('is masked in %s', (_what, url, text, expected) => {
    expect(masked(text, new URL(url))).toBe(expected);
  });

  it('does not tell the addresses before a redirect, nor the signature', () => {
    const secrets = secretsOf([chat, new URL('https://shop.example/other-place')], false, 'v1,c2lnbmF0dXJl');
    const text = 'came from x8Qm2vLpR4 to /other-place with v1,c2lnbmF0dXJl';
    expect(maskedAnswer(text, secrets)).toBe('came from *** to *** with v1,***');
  });

  it('ends before a secret that is cut off', () => {
    const secrets = secretsOf([chat], false);
    for (let length = 0; length < 600; length++) {
      const page = `${'.'.repeat(length)}${chat.pathname}`.repeat(3);
      const text = page.slice(0, bytesToRead(secrets));
      const said = maskedAnswer(text, secrets, false);
      expect(said).toMatch(/^[.*]*$/);
    }
  });

  it('has at most 512 characters', () => {
    expect(masked('x'.repeat(600))).toHaveLength(512);
  });
});
