import { uuidv7 } from './uuid';

const UUIDV7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

it('is a UUID of version 7, which begins with the time', () => {
  const nowMs = Date.now() + 60_000;
  const id = uuidv7(nowMs);
  expect(id).toMatch(UUIDV7);
  expect(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(nowMs);
});

it('is another one each time, and never before the one made earlier, however fast they are made', () => {
  const ids = Array.from({ length: 100_000 }, () => uuidv7());
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual([...ids].sort());
  expect(ids.every((id) => UUIDV7.test(id))).toBe(true);
});

it('goes on in order when the clock is set back', () => {
  const nowMs = Date.now() + 120_000;
  const ids = [uuidv7(nowMs), uuidv7(nowMs - 60_000), uuidv7(nowMs - 60_000), uuidv7(nowMs + 1)];
  expect(ids).toEqual([...ids].sort());
  expect(new Set(ids).size).toBe(4);
});
