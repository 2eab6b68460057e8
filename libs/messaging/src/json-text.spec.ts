import { escapeUnseen, printable } from './json-text';

it.each([
  ['C1', '\u009b2J'],
  ['DEL', '\u007f'],
  ['a change of direction', 'a\u202eb\u2066c'],
  ['zero width', 'a\u200bb\u200dc\ufeff'],
  ['line separators', '\u2028\u2029'],
  ['beyond the basic plane', 'a\u{e0041}b'],
])('%s is written as \\uXXXX, and means the same', (_what, text) => {
  const json = escapeUnseen(JSON.stringify({ [text]: text }));
  expect(json).toMatch(/^[\x20-\x7e]+$/);
  expect(JSON.parse(json)).toEqual({ [text]: text });
});

it('what people write stays as it is', () => {
  const json = JSON.stringify({ name: 'Zoë 東京 🎉' });
  expect(escapeUnseen(json)).toBe(json);
});

it('text for people has a space for each character that would move the cursor or turn the text around', () => {
  expect(printable('a\u001b[2J\u009b1m\r\nb\u202ec\u2028d é€😀')).toBe('a [2J 1m  b c d é€😀');
});

it.each([...Array(0x3000).keys()].filter((code) => escapeUnseen(String.fromCharCode(code)).length > 1))(
  'what JSON escapes is not printed for people either: %i',
  (code) => {
    expect(printable(String.fromCharCode(code))).toBe(' ');
  },
);
