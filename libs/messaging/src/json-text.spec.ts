import { escapeUnseen } from './json-text';

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
